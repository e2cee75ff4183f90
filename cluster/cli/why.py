"""`xmpplab why`: why a stanza arrived late, waits, was returned, or never arrived."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cluster.cli.common import LabName
from cluster.cli.completion import addresses
from cluster.cli.interrupt import interruptible
from cluster.cli.table import Wrong, fitted, wrong
from cluster.cli.watch import address
from cluster.lab.api import BadInput, Lab
from cluster.trace.terminal import safe_json, safe_line
from cluster.trace.verdict import lines

if TYPE_CHECKING:
    from cluster.trace.why import Explanation

END = "A name that is unique in the lab, or an address: an account, one of its resources, or a domain."
Format = Literal["text", "json", "mermaid", "svg"]
INDENT = 10
"""As far as the texts of why, rule and remedy."""


def why(
    trace_id: Annotated[
        str, typer.Argument(metavar="ID", help="A trace id, as `trace` and `watch` show it.", show_default=False)
    ] = "",
    from_: Annotated[
        str, typer.Option("--from", metavar="ADDRESS", envvar="XMPPLAB_WHY_FROM", help=END, autocompletion=addresses)
    ] = "",
    to: Annotated[str, typer.Option("--to", metavar="ADDRESS", help=END, autocompletion=addresses)] = "",
    last: Annotated[
        bool, typer.Option("--last", help="The newest stanza, as without an id and addresses.")
    ] = False,
    follow: Annotated[
        str,
        typer.Option(
            "--follow", metavar="ADDRESS", autocompletion=addresses,
            help="Record all that is from or to an address, and explain each stanza until Ctrl-C.",
        ),
    ] = "",
    format: Annotated[Format, typer.Option(help="Output for people, programs, Markdown or browsers.")] = "text",
    lab: LabName = None,
) -> None:  # fmt: skip
    """Explain what happened to a stanza, and why.

    Without an id, the newest stanza in the journal with these addresses; chat states are passed over.
    """
    if last and (trace_id or from_ or to or follow):
        raise BadInput("--last is the newest stanza of all; leave it out, or leave out the id and the addresses")
    if trace_id and (from_ or to or follow):
        raise BadInput("a trace id names one stanza; leave out --from, --to and --follow")
    if follow and (from_ or to):
        raise BadInput("--follow explains all that is from or to one address; leave out --from and --to")
    asked = Lab.named(lab)
    if not follow:
        _print(asked, asked.why(trace_id, _end(asked, from_), _end(asked, to)), format)
        return
    if format in ("mermaid", "svg"):
        raise BadInput("a diagram shows one stanza; leave out --follow, or use --format json")
    asked.check_up()
    with suppress(KeyboardInterrupt), interruptible():
        for answer in asked.why_followed(_end(asked, follow), _tell):
            _print(asked, answer, format, is_one=False)


def _end(lab: Lab, text: str) -> str:
    """The address in the form of hops, from a name that is unique in the lab, or an address."""
    return str(lab.address(text)) if text and not {"@", "."} & {*text} else address(text)


def _tell(text: str) -> None:
    print(safe_line(f"xmpplab: {text}"), file=sys.stderr, flush=True)


def _print(lab: Lab, answer: Explanation, format: Format, *, is_one: bool = True) -> None:
    if format == "json":
        import msgspec

        text = json.dumps(msgspec.to_builtins(answer), indent=2 if is_one else None, ensure_ascii=False)
        print(safe_json(text), flush=True)
    elif format == "mermaid":
        from cluster.trace.why import mermaid

        print(mermaid(answer), end="")
    elif format == "svg":
        from cluster.trace.sequence import svg

        print(svg(answer), end="")
    else:
        from datetime import UTC, datetime

        for line in lines(answer, datetime.fromtimestamp(lab.timeline.end_utc_s(), UTC), Wrong):
            shown = fitted(line, INDENT)
            print(wrong(shown) if isinstance(line, Wrong) else shown, flush=True)
        if not is_one:
            print(flush=True)
