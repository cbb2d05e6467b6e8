"""Scripted exercises: a plugin for pytest, its vocabulary of steps and checks, and who runs them."""
