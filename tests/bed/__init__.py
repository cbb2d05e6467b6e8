"""A bed for what else needs containers: an engine in memory, by its own API too, and hosts that answer."""
