"""All lines that concern one message, found in logs of any size."""
