"""What learners are asked."""
