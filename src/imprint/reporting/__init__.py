"""Who hears: local files, Weights & Biases, the terminal, the report page."""
