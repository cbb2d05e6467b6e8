"""What a student hands in, and why a daemon refuses it."""
