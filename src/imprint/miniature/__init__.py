"""The miniature: a drawn world, and the recipe that pre-trains a small real latent diffusion model on it."""
