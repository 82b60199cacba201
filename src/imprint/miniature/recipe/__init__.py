"""The recipe that pre-trains the miniature's networks on the drawn world."""
