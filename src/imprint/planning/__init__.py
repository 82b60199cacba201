"""From a configuration to a training: checked parts and their run (prepare), then connected objects (assemble)."""
