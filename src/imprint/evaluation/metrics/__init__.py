"""How good: one metric a file."""
