"""Writes the parts of the documentation that are made from the code: `make docs`. A test fails while one is stale."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import msgspec
import yaml

from cluster import modules, services
from cluster.base import reasons
from cluster.host.module import Module
from cluster.lab.containers.export import compose_file
from cluster.lab.metrics import PROCESS, SERVER
from cluster.lab.verify.report import Report
from cluster.lab.verify.scenario import Scenario
from cluster.server.im.delivery import MESSAGE_RULES
from cluster.topology import reference, schema
from cluster.xmpp.streams.states import TRANSITIONS
from cluster.xmpp.subscription import INBOUND, OUTBOUND, State
from docs.generated.facade import facade
from docs.generated.limits import bounds, limit_keys, limits_of_accounts
from docs.generated.markdown import table
from docs.generated.outputs import output_schema, outputs

DOCS = Path(__file__).parent
MODULES = modules.load(modules.names())


def packages() -> str:
    """The layers of pyproject.toml, and what the docstring of each package says."""
    contracts = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    rows = []
    for number, layer in zip(range(len(layers), 0, -1), layers, strict=True):
        for name in layer.split(" | "):
            rows.append([str(number), f"`cluster/{name}`", " ".join(import_module(f"cluster.{name}").__doc__.split())])
    return table(["layer", "package", "what it is"], rows)


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
    return table(["to", *types], rows)


def subscription_states() -> str:
    """Every change of a subscription."""
    rows = [
        [_state(state), who, kind, _state(targets[state])]
        for state in State
        for who, changes in (("the account", OUTBOUND), ("the contact", INBOUND))
        for kind, targets in changes.items()
        if state in targets
    ]
    return table(["state", "who sends", "what", "new state"], rows)


def module_list() -> str:
    """All modules."""
    rows = [[f"`{each.name}`", _standard_of(each), each.version, f"`{each.ns}`"] for each in MODULES]
    return table(["module", "standard", "version", "namespace"], rows)


def _standard_of(module: Module) -> str:
    """The XEP that the module declares, else the RFC that its docstring names."""
    if module.xep:
        return f"XEP-{module.xep:04}"
    return re.findall(r"RFC [0-9]{4}", import_module(f"{modules.__name__}.{module.name}").__doc__ or "")[0]


def standards() -> str:
    """Which standards the servers and gateways implement, and how far."""
    texts: dict[str, dict[str, str]] = yaml.safe_load((DOCS / "standards.yaml").read_text())
    states = {
        f"XEP-{module.xep:04}": f"service `{service.name}`, version {module.version}"
        for service in services.load(services.names())
        for module in service.modules
        if module.xep
    }
    states |= {_standard_of(each): f"module `{each.name}`, version {each.version}" for each in MODULES if each.xep}
    if missing := states.keys() - texts.keys():
        raise ValueError(f"docs/standards.yaml needs an entry for {', '.join(sorted(missing))}")
    rules = re.findall(
        r"^\| ((?:RFC |XEP-)\d+) \| (\d+) \| (\d+) \| (\d+) \|", (DOCS / "conformance.md").read_text(), re.M
    )
    for name, kept, *others in rules:
        counted = f"{kept} of {sum(map(int, (kept, *others)))} rules kept"
        states[name] = f"{states[name]}; {counted}" if name in states else counted
    rows = [[name, of["title"], states.get(name, "implemented"), of.get("note", "")] for name, of in texts.items()]
    return table(["standard", "title", "state", "remarks"], rows)


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


def why_reasons() -> str:
    """The decisions that hops name."""
    rows = [[f"`{each.code}`", each.what, each.rule, each.remedy] for each in reasons.ALL.values()]
    return table(["code", "what was decided", "rule", "remedy"], rows)


def metrics() -> str:
    """The metrics of a server."""
    rows = [[f"`{each.name}`", "counter" if each.type == "unknown" else each.type, each.about] for each in SERVER]
    return table(["metric", "type", "what it is"], rows)


def process_metrics() -> str:
    """Those of every process."""
    return table(["metric", "what it is"], [[f"`{name}`", about] for name, about in PROCESS.items()])


PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "architecture.md": {
        "packages": packages,
        "states": stream_states,
        "delivery": delivery_rules,
        "subscriptions": subscription_states,
    },
    "json.md": {"outputs": outputs},
    "../README.md": {"standards": standards},
    "python.md": {"reference": facade},
    "limits.md": {"keys": limit_keys, "accounts": limits_of_accounts, "constants": bounds},
    "metrics.md": {"server": metrics, "process": process_metrics},
    "verify.md": {"keys": scenario_keys},
    "why.md": {"reasons": why_reasons},
    "writing-a-module.md": {"modules": module_list},
}
"""By page: what stands between `<!-- NAME begin -->` and `<!-- NAME end -->`."""


SCHEMAS: dict[str, Callable[[], schema.Schema]] = {
    "output.schema.json": output_schema,
    "report.schema.json": report_schema,
    "scenario.schema.json": scenario_schema,
}

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


def main() -> None:
    """Write every page."""
    for name in PARTS:
        (DOCS / name).write_text(page(name))
    schema.main()
    for name, made in SCHEMAS.items():
        (DOCS / name).write_text(schema.text(made()))
    for lab in COMPOSE:
        (DOCS.parent / "compose" / f"{lab}.yml").write_text(compose_file(Path("topologies") / f"{lab}.yaml"))


if __name__ == "__main__":
    main()
