"""One message's journey, joined from everything that tells of it."""
