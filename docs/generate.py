"""Writes the parts of the documentation that are made from the code: `make docs`. A test fails while one is stale."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from cluster import modules
from cluster.lab.containers.export import compose_file
from cluster.lab.verify.report import Report
from cluster.lab.verify.scenario import Scenario
from cluster.server.delivery import MESSAGE_RULES
from cluster.topology import reference, schema
from cluster.xmpp.states import TRANSITIONS
from cluster.xmpp.subscription import INBOUND, OUTBOUND, State

DOCS = Path(__file__).parent


def stream_states() -> str:
    """The negotiation of a client's stream."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> opening"]
    for state, moves in TRANSITIONS.items():
        lines += [f"    {state} --> {target}: {what}" for what, target in moves.items()]
    return "\n".join([*lines, "```"])


def delivery_rules() -> str:
    """What becomes of a message that is not for the full JID of a session."""
    types = ["normal", "chat", "groupchat", "headline", "error"]
    rows = [[str(situation), *(str(rules[type]) for type in types)] for situation, rules in MESSAGE_RULES.items()]
    return _table(["to", *types], rows)


def subscription_states() -> str:
    """Every change of a subscription."""
    rows = []
    for state in State:
        for who, changes in (("the account", OUTBOUND), ("the contact", INBOUND)):
            rows += [
                [_state(state), who, kind, _state(targets[state])]
                for kind, targets in changes.items()
                if state in targets
            ]
    return _table(["state", "who sends", "what", "new state"], rows)


def module_list() -> str:
    """The modules there are."""
    rows = []
    for module in modules.load(modules.names()):
        xep = f"XEP-{module.xep:04}" if module.xep else "RFC 6121"
        rows.append([f"`{module.name}`", xep, module.version, f"`{module.ns}`"])
    return _table(["module", "standard", "version", "namespace"], rows)


def scenario_schema() -> schema.Schema:
    """Of a scenario file, for editors."""
    return schema.schema(Scenario, "xmpplab scenario")


def report_schema() -> schema.Schema:
    """Of what `xmpplab verify --format json` prints."""
    made = msgspec.json.schema(list[Report])
    for part in made["$defs"].values():
        part["description"] = " ".join(part.get("description", "").split())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "xmpplab report", **made}


def scenario_keys() -> str:
    """Every key of a scenario file."""
    return reference.tables(scenario_schema()).rstrip()


PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "architecture.md": {"states": stream_states, "delivery": delivery_rules, "subscriptions": subscription_states},
    "verify.md": {"keys": scenario_keys},
    "writing-a-module.md": {"modules": module_list},
}
"""By page: what stands between `<!-- NAME begin -->` and `<!-- NAME end -->`."""


SCENARIO_SCHEMA = DOCS / "scenario.schema.json"
REPORT_SCHEMA = DOCS / "report.schema.json"

COMPOSE = ("two-domains", "verona", "rfc3920")
"""Topologies that have a compose file in compose/."""


def page(name: str) -> str:
    """A page with its generated parts fresh. Raises ValueError where a marker is missing."""
    text = (DOCS / name).read_text()
    for part, make in PARTS[name].items():
        begin, end = f"<!-- {part} begin -->", f"<!-- {part} end -->"
        before, found_begin, rest = text.partition(begin)
        _, found_end, after = rest.partition(end)
        if not (found_begin and found_end):
            raise ValueError(f"docs/{name} needs the lines {begin} and {end}")
        text = f"{before}{begin}\n\n{make()}\n\n{end}{after}"
    return text


def _state(state: State) -> str:
    subscription, pending_out, pending_in = state.value
    pending = [name for name, is_pending in (("out", pending_out), ("in", pending_in)) if is_pending]
    return f"{subscription}, pending {' and '.join(pending)}" if pending else subscription


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Write every page."""
    for name in PARTS:
        (DOCS / name).write_text(page(name))
    schema.main()
    SCENARIO_SCHEMA.write_text(schema.text(scenario_schema()))
    REPORT_SCHEMA.write_text(schema.text(report_schema()))
    for lab in COMPOSE:
        (DOCS.parent / "compose" / f"{lab}.yml").write_text(compose_file(Path("topologies") / f"{lab}.yaml"))


if __name__ == "__main__":
    main()
