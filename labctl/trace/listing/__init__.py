"""All messages that logs tell of, one row each, in bounded memory."""
