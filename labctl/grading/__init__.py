"""Grading: what a student handed in, put into a lab, and examined from outside."""
