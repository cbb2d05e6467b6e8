"""Logs as bytes, and their lines as entries."""
