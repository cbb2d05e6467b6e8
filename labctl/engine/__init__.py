"""Container engines: what labctl needs of one, and the adapter to Docker's."""
