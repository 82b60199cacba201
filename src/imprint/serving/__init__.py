"""Runs and sweeps below a folder as pages on this machine, live, and a try-out that draws with them."""
