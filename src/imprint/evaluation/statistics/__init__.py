"""Numbers about numbers: averages, intervals, tests. Pure functions; nothing here reads a file or draws a picture."""
