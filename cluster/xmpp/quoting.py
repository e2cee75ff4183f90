"""Text in XML: as `xml.sax.saxutils` does it, which imports an HTTP client and TLS for what nobody here needs of it."""

from __future__ import annotations


def escape(text: str) -> str:
    """For between tags (XML 1.0 section 2.4)."""
    return text.replace("&", "&amp;").replace(">", "&gt;").replace("<", "&lt;")


def quoteattr(text: str) -> str:
    """As the value of an attribute, with its quotes; a parser reads the same text again (XML 1.0 section 3.3.3)."""
    text = escape(text).replace("\n", "&#10;").replace("\r", "&#13;").replace("\t", "&#9;")
    if '"' not in text:
        return f'"{text}"'
    if "'" not in text:
        return f"'{text}'"
    return '"' + text.replace('"', "&quot;") + '"'
