"""The formats in which other programs open a labelled data set: a file each."""
