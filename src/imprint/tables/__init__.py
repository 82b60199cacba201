"""Tables: their contents (`table`), and one renderer for each format. Only renderers escape."""
