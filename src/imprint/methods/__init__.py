"""What learns, and which words name it."""
