"""The figures: how an individual of each class is drawn, in its own coordinates."""
