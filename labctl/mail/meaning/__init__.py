"""What codes, replies, states and reports mean, what usually causes them, and what to look at next.

The meanings are data, in TOML files beside the modules, each with its sources.
"""
