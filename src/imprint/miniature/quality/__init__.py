"""How good the miniature's networks are, measured against the world that they were made for."""
