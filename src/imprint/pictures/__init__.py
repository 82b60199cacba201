"""Pictures that models draw: what each is drawn from, where it is kept, and the loop that draws what is missing."""
