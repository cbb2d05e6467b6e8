"""What a lab shall be: its definition, its topology and the plan made of both. No engine is asked."""
