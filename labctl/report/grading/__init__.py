"""Grades, for terminals, pages, spreadsheets, and the services that take them."""
