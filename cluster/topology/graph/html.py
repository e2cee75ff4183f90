"""The picture as a web page that needs nothing else: no script, no font, no other file."""

from __future__ import annotations

from html import escape

from cluster.topology.graph.picture import Picture
from cluster.topology.graph.svg import svg

_STYLE = """
:root { color-scheme: light dark; } body { margin: 0; font: 14px system-ui, sans-serif; } main { overflow: auto; }
main svg { display: block; margin: 0 auto; max-width: none; }
"""


def html(picture: Picture) -> str:
    """The whole page."""
    return "\n".join([
        "<!doctype html>",
        '<html lang="en">',
        f'<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(picture.name)}</title><style>{_STYLE}</style></head>",
        f"<body><main>\n{svg(picture)}\n</main></body>",
        "</html>",
    ])  # fmt: skip
