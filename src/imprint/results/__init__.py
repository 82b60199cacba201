"""What finished runs learned, put into a model: one result or several, as weights or as one LoRA."""
