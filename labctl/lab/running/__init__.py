"""A lab on an engine: what is there, how it comes up, changes, is emptied, and goes."""
