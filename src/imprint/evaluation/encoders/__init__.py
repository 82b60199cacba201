"""What turns pictures and texts into features: one kind a file."""
