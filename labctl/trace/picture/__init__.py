"""A message's way from station to station: what the drawings in report show."""
