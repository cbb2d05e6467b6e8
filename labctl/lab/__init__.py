"""Labs: their definitions, the plan made of one, and the running instance."""
