"""The report of a run as one HTML file, with the style and the charts of the page; it loads nothing."""

from __future__ import annotations

import re
from html import escape
from importlib.resources import files

import msgspec

SOURCES = ("dom.js", "words.js", "chart.js", "report.js")
"""Modules of the page, each after those that it imports from. Their names differ, so they can share one scope."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
"""Content Security Policy: what the file has itself, and no request."""


def report(title: str, period: object) -> str:
    """The page of a period (`cluster.lab.timeline.period`)."""
    assets = files("cluster.web").joinpath("assets")
    style = assets.joinpath("style.css").read_text(encoding="utf-8")
    script = "".join(_alone(assets.joinpath(name).read_text(encoding="utf-8")) for name in SOURCES)
    data = msgspec.json.encode(period).decode().replace("<", "\\u003c")  # nothing in it ends the element
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)} · xmpplab</title>
<style>{style}</style>
</head>
<body class="report">
<noscript><p>The charts need JavaScript.</p></noscript>
<script type="application/json" id="period">{data}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def _alone(module: str) -> str:
    """The module without its imports and exports."""
    return re.sub(r"^export ", "", re.sub(r"^import .*\n", "", module, flags=re.MULTILINE), flags=re.MULTILINE)
