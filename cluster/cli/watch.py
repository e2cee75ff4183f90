"""`xmpplab watch`: hops as they happen."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cluster.cli.common import LabName
from cluster.cli.interrupt import interruptible
from cluster.lab.api import BadInput, Lab
from cluster.trace.addresses import is_of
from cluster.trace.terminal import safe_json, safe_line

if TYPE_CHECKING:
    from cluster.topology.plan import Plan
    from cluster.trace.hop import Hop

ADDRESS = "An account, one of its resources, or a domain."


def watch(
    all: Annotated[bool, typer.Option("--all", help="Follow every stanza while this command runs.")] = False,
    from_: Annotated[str, typer.Option("--from", metavar="ADDRESS", envvar="XMPPLAB_WATCH_FROM", help=ADDRESS)] = "",
    to: Annotated[str, typer.Option("--to", metavar="ADDRESS", help=ADDRESS)] = "",
    filter: Annotated[str, typer.Option(metavar="TEXT", help="Only lines that contain this text.")] = "",
    format: Annotated[
        Literal["text", "json"], typer.Option(help="Output for people, or a JSON object per line.")
    ] = "text",
    lab: LabName = None,
) -> None:
    """Show hops as they happen, until Ctrl-C.

    Shown are hops of probes, of one stanza in `trace.sample_every`, and all that fail.
    """
    from cluster.trace.render import as_dict

    watched = Lab.named(lab)
    plan = watched.plan
    from_, to = address(from_), address(to)
    if not all and watched.is_up:
        _tell(_hint(plan))
    with suppress(KeyboardInterrupt), interruptible():
        for hop in chain.from_iterable(watched.hops(every_stanza=all, tell=_tell)):
            if not (is_of(from_, hop.from_) and is_of(to, hop.to)):
                continue
            line = safe_json(json.dumps(as_dict(hop), ensure_ascii=False)) if format == "json" else shown(hop)
            if filter in line:
                print(line, flush=True)


def _hint(plan: Plan) -> str:
    """What is not shown, and the option that shows it; empty if everything is shown."""
    if plan.sample_every == 1:
        return ""
    sampled = f", one stanza in {plan.sample_every}" if plan.sample_every else ""
    return f"shown are probes{sampled}, and what is bounced, dropped or lost; --all shows every stanza"


def _tell(text: str) -> None:
    if text:
        print(safe_line(f"xmpplab: {text}"), file=sys.stderr, flush=True)


def address(text: str) -> str:
    """The address as hops have it. Raises BadInput."""
    from cluster.xmpp.jid import Jid, JidError

    try:
        return str(Jid.parse(text)) if text else ""
    except JidError as error:
        raise BadInput(f"{error}; write an address such as romeo@montague.lit, or a domain") from None


def shown(hop: Hop) -> str:
    """The line for people."""
    from datetime import UTC, datetime

    moment = datetime.fromtimestamp(hop.at_utc_ns / 1e9, UTC).strftime("%H:%M:%S.%f")
    what = f"{hop.kind} {hop.from_} → {hop.to}, {hop.size_bytes} bytes" if hop.kind else ""
    detail = f": {hop.detail}" if what and hop.detail else hop.detail
    return safe_line(f"{moment} {hop.trace_id} {hop.node:<6} {hop.event:<9} {what}{detail}")
