"""Messages' stories, as text, pictures and pages."""
