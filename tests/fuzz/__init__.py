"""A fuzz of the command line: calls made of labctl's own commands and options, with values of any kind."""
