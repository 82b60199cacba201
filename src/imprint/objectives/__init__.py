"""What error means."""
