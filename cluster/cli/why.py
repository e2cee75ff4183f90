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
from cluster.cli.table import wrong
from cluster.cli.watch import address
from cluster.lab.api import BadInput, Lab
from cluster.trace.terminal import safe_json, safe_line

if TYPE_CHECKING:
    from cluster.trace.why import Decision, Explanation

END = "A name that is unique in the lab, or an address: an account, one of its resources, or a domain."
Format = Literal["text", "json", "mermaid"]


def why(
    trace_id: Annotated[
        str, typer.Argument(metavar="ID", help="A trace id, as `trace` and `watch` show it.", show_default=False)
    ] = "",
    from_: Annotated[
        str, typer.Option("--from", metavar="ADDRESS", envvar="XMPPLAB_WHY_FROM", help=END, autocompletion=addresses)
    ] = "",
    to: Annotated[str, typer.Option("--to", metavar="ADDRESS", help=END, autocompletion=addresses)] = "",
    follow: Annotated[
        str,
        typer.Option(
            "--follow", metavar="ADDRESS", autocompletion=addresses,
            help="Record all that is from or to an address, and explain each stanza until Ctrl-C.",
        ),
    ] = "",
    format: Annotated[Format, typer.Option(help="Output for people, programs or Markdown.")] = "text",
    lab: LabName = None,
) -> None:  # fmt: skip
    """Explain what happened to a stanza, and why.

    Without an id, the newest stanza in the journal with these addresses.
    """
    if trace_id and (from_ or to or follow):
        raise BadInput("a trace id names one stanza; leave out --from, --to and --follow")
    if follow and (from_ or to):
        raise BadInput("--follow explains all that is from or to one address; leave out --from and --to")
    asked = Lab.named(lab)
    if not follow:
        _print(asked.why(trace_id, _end(asked, from_), _end(asked, to)), format)
        return
    if format == "mermaid":
        raise BadInput("a diagram shows one stanza; leave out --follow, or use --format json")
    asked.check_up()
    with suppress(KeyboardInterrupt), interruptible():
        for answer in asked.why_followed(_end(asked, follow), _tell):
            _print(answer, format, is_one=False)


def _end(lab: Lab, text: str) -> str:
    """The address in the form of hops, from a name that is unique in the lab, or an address."""
    return str(lab.account(text)) if text and not {"@", "."} & {*text} else address(text)


def _tell(text: str) -> None:
    print(safe_line(f"xmpplab: {text}"), file=sys.stderr, flush=True)


def _print(answer: Explanation, format: Format, *, is_one: bool = True) -> None:
    if format == "json":
        import msgspec

        text = json.dumps(msgspec.to_builtins(answer), indent=2 if is_one else None, ensure_ascii=False)
        print(safe_json(text), flush=True)
    elif format == "mermaid":
        from cluster.trace.why import mermaid

        print(mermaid(answer), end="")
    else:
        for line in text_of(answer):
            print(line, flush=True)
        if not is_one:
            print(flush=True)


def text_of(answer: Explanation) -> list[str]:
    """The explanation in lines: what happened to the stanza and why, and each hop."""
    to = f" to {answer.to}" if answer.to else ""  # presence to all who see it has no receiver
    title = f"{answer.kind} from {answer.from_}{to}, trace {answer.trace_id}, {_age(answer)}"
    verdict = _verdict(answer)
    lines = [safe_line(title), verdict if answer.outcome in ("delivered", "taken") else wrong(verdict)]
    about = (("why", answer.what), ("rule", answer.rule), ("remedy", answer.remedy))
    lines += [safe_line(f"  {name + ':':<7} {text}") for name, text in about if text]
    width = max(len(each.node) for each in answer.decisions)
    return [*lines, *(_line(each, width) for each in answer.decisions)]


def _age(answer: Explanation) -> str:
    """How long ago it was: the newest stanza in the journal may not be the one that is asked about."""
    from datetime import UTC, datetime

    return f"{(datetime.now(UTC) - datetime.fromisoformat(answer.at)).total_seconds():.0f} s ago"


def _verdict(answer: Explanation) -> str:
    where = "in the router" if answer.where == "router" else f"at {answer.where}"
    where = "by its server" if answer.outcome == "taken" and answer.where == "router" else where
    code = f" ({answer.reason})" if answer.reason else ""
    took = f" after {answer.decisions[-1].offset_ms:.2f} ms"
    words = "waits" if answer.outcome == "waits" else f"was {answer.outcome}"
    return safe_line(f"it {words} {where}{took if answer.outcome == 'delivered' else ''}{code}")


def _line(each: Decision, width: int) -> str:
    late = f", late: {each.usual_ms:.2f} ms as a rule" if each.is_late else ""
    text = safe_line(f"  {each.node:<{width}} +{each.offset_ms:.2f} ms (Δ {each.delta_ms:.2f} ms{late}) {each.what}")
    return wrong(text) if each.is_late else text
