"""What is told of an exercise: its steps as they happen, how it ended, and whose fault that is."""
