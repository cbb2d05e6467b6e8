"""Results as text and as JSON: pure functions."""
