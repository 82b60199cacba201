"""How good: which pictures are drawn to judge a run, and how they are judged."""
