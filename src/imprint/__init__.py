"""imprint: teach a text-to-image diffusion model a subject from a few pictures, and measure how well it took."""

__version__ = "0.1.0"
