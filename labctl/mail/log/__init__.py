"""What mail and name servers log, and what that says of messages."""
