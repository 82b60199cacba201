"""What learns from the pictures of an arm."""
