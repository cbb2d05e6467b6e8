"""What a lab's daemons say while an exercise runs."""
