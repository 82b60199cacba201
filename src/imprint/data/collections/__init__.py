"""Many subjects: who they are, what they are, and where their pictures lie."""
