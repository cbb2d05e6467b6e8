"""Exercises while they run: the lab they have, the time they take, and whose doing it is when they fail."""
