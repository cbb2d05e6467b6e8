"""Conditions injected into a running lab: each is applied, is on record while it lasts, and is undone."""
