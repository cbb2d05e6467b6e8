"""What stands in a message: headers, bodies, and reports about other messages."""
