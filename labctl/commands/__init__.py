"""What labctl can do: one verb a file, each a function that returns a frozen result."""
