"""The bytes of one log, wherever they lie."""
