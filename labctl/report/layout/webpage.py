"""One HTML document that needs nothing beside itself, and lets nothing in it do anything."""

from __future__ import annotations

from html import escape
from importlib.resources import files

from labctl.report.layout.plain import harmless


def web_page(title: str, body: str, *styles: str) -> str:
    """Return a document that may neither run a script nor fetch anything.

    Args:
        title: Its title, as plain text.
        body: What it shows, as HTML.
        styles: The files with its own styles, beside that of all pages.
    """
    folder = files("labctl.report")
    style = "".join((folder / each).read_text(encoding="utf-8") for each in ("page.css", *styles))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy"'
        " content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">'
        f"<title>{safe(title)}</title><style>{style}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def safe(text: str) -> str:
    """Return text as HTML that shows it, harmless also where it is copied to a terminal."""
    return escape(harmless(text))
