"""Pictures of a lab, as the RFC draws one (RFC 3920 section 2.1): clients, servers and what joins them, and below the
gateways with their foreign networks."""

from __future__ import annotations

from typing import Literal

from cluster.topology.graph.html import html
from cluster.topology.graph.mermaid import mermaid
from cluster.topology.graph.picture import picture_of
from cluster.topology.graph.svg import svg
from cluster.topology.graph.text import text
from cluster.topology.plan import Plan

Format = Literal["text", "mermaid", "svg", "html"]
_DRAWN = {"text": text, "mermaid": mermaid, "svg": svg, "html": html}


def draw(plan: Plan, format: Format) -> str:
    """The picture of the lab in this format, without a newline at its end."""
    return _DRAWN[format](picture_of(plan))


__all__ = ["Format", "draw"]
