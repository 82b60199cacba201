"""Which drawn pictures are kept in a labelled data set."""
