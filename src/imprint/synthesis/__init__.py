"""Drawing labelled pictures of subjects: which are asked for, by which method, and from what they are made."""
