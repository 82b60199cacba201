"""Tables: what stands in one (`table`), and one renderer for each way of writing it. Only renderers escape."""
