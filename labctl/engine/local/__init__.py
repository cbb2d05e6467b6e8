"""This machine's own engine: found, brought, started, and taken away again."""
