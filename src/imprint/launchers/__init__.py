"""Where the points of a sweep run, other than in the program that launches them. Imported where they run, too."""
