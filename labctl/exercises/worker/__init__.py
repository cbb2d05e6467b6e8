"""Processes that run exercises, for who gives them orders, and the language both speak."""
