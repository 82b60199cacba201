"""Numbers that others have published, with all that is known of how they were measured."""
