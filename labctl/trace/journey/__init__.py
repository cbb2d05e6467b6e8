"""A message's hops, woven from the lines that concern it."""
