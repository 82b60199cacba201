"""From configuration to a training: checked parts and the run that they are (prepare), connected objects (assemble)."""
