"""What `imprint <verb>` does, a module each: `main` for the command line, a function of the same name for programs."""
