"""How each side trains the same tasks: the programs that do it, one after another."""
