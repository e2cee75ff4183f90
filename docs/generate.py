"""Writes the parts of the documentation that are made from the code: `make docs`. A test fails while one is stale."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import tomllib
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import msgspec
import yaml

from cluster import modules, services
from cluster.base import reasons
from cluster.cli.documents import DOCUMENTS
from cluster.host.module import Module
from cluster.lab.containers.export import compose_file
from cluster.lab.verify.report import Report
from cluster.lab.verify.scenario import Scenario
from cluster.server.im.delivery import MESSAGE_RULES
from cluster.store import limits
from cluster.topology import reference, schema
from cluster.topology.model import Router, ServerSettings, Trace
from cluster.xmpp.streams.states import TRANSITIONS
from cluster.xmpp.subscription import INBOUND, OUTBOUND, State

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
    return _table(["layer", "package", "what it is"], rows)


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
    rows = [
        [_state(state), who, kind, _state(targets[state])]
        for state in State
        for who, changes in (("the account", OUTBOUND), ("the contact", INBOUND))
        for kind, targets in changes.items()
        if state in targets
    ]
    return _table(["state", "who sends", "what", "new state"], rows)


def module_list() -> str:
    """All modules."""
    rows = [[f"`{each.name}`", _standard_of(each), each.version, f"`{each.ns}`"] for each in MODULES]
    return _table(["module", "standard", "version", "namespace"], rows)


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
    return _table(["standard", "title", "state", "remarks"], rows)


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


_BOUND = re.compile(r"_?(MAX|MOST|PAGE)_\w+|MANY\w*|(\w+_)?(TIMEOUT|PATIENCE|KEPT)_S|REMEMBERED|BACKLOG")
"""The names of constants of modules that are bounds; a number is one of this name, its docstring says what it is."""
_BOUNDED_KEY = re.compile(r"\w+_(bytes|messages|per_minute)|max_backlog")


def limit_keys() -> str:
    """The bounds that a topology may change."""
    rows = []
    for place, section in (("", ServerSettings), ("trace.", Trace), ("router.", Router)):
        for key, field in section.model_fields.items():
            if _BOUNDED_KEY.fullmatch(key):
                text = " ".join((field.description or "").split())
                rows.append([f"`{place}{key}`", _quantity(key.upper(), field.default), text])
    return _table(["key", "default", "what it bounds"], rows)


def limits_of_accounts() -> str:
    """How much is kept for one account."""
    tree = ast.parse(Path(limits.__file__).read_text())
    [fields] = [node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Limits"]
    rows = []
    for name, text in _described(fields):
        limit = getattr(limits.DEFAULTS, name)
        if isinstance(limit, int):  # of all accounts together: a key of the topology
            continue
        rows.append([name, f"{limit.count:,}", _quantity("_BYTES", limit.size_bytes), text])
    return _table(["of", "how many", "of how many bytes", "what they are"], rows)


def bounds() -> str:
    """Every bound that is a constant of the code, by package."""
    parts = []
    for package, rows in groupby(_bounds(), key=lambda row: row[0]):
        head = ["where", "bound", "value", "what it bounds"]
        parts += [f"### `{package}`", "", _table(head, (row[1:] for row in rows)), ""]
    return "\n".join(parts).rstrip()


def _bounds() -> Iterator[list[str]]:
    root = DOCS.parent
    for path in sorted(root.glob("cluster/*/**/*.py"), key=lambda path: (path.parent, path)):
        module = path.relative_to(root).with_suffix("")
        for name, text in _described(ast.parse(path.read_text()).body):
            if _BOUND.fullmatch(name):
                value = getattr(import_module(".".join(module.parts)), name)
                if isinstance(value, int | float):
                    yield [str(module.parent), f"`{path.name}`", f"`{name}`", _quantity(name, value), text]


def _described(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """The names that are given a value, each with the docstring behind it."""
    for statement, following in pairwise([*body, ast.Pass()]):
        target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        if isinstance(target, ast.Name):
            is_text = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            yield target.id, " ".join(str(following.value.value).split()) if is_text else ""  # type: ignore[attr-defined]


def _quantity(name: str, value: float) -> str:
    if name.endswith("_S"):
        return f"{value:,g} s"
    if not name.endswith("_BYTES"):
        return f"{value:,}"
    for factor, unit in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if value >= factor and value % factor == 0:
            return f"{value / factor:,g} {unit}"
    return f"{value:,} bytes"


def why_reasons() -> str:
    """The decisions that hops name."""
    rows = [[f"`{each.code}`", each.what, each.rule, each.remedy] for each in reasons.ALL.values()]
    return _table(["code", "what was decided", "rule", "remedy"], rows)


def output_schema() -> dict[str, Any]:
    """Of the JSON that commands print: one definition for each command, `ps` or `user ls`, and those of its parts."""
    made, parts = msgspec.json.schema_components(DOCUMENTS.values(), ref_template="#/$defs/{name}")
    for name, part in parts.items():
        if "description" in part:  # before msgspec 0.23 it was indented as in the source
            part["description"] = inspect.cleandoc(part["description"])
        for key, text in _meanings(_STRUCTS[name]).items():
            if text:
                part["properties"][key] = {**part["properties"][key], "description": text}
    definitions = {**dict(zip(DOCUMENTS, made, strict=True)), **parts}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "xmpplab output", "$defs": definitions}


def _structs(types: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """All classes of which the documents are made, by name."""
    for type_ in msgspec.inspect.multi_type_info(types):
        yield from _classes_in(type_)


def _classes_in(part: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(part, msgspec.inspect.StructType | msgspec.inspect.EnumType):
        yield part.cls.__name__, part.cls
    for field in getattr(part, "fields", ()):
        yield from _classes_in(field.type)
    for name in ("item_type", "value_type"):
        if hasattr(part, name):
            yield from _classes_in(getattr(part, name))
    for choice in getattr(part, "types", ()):
        yield from _classes_in(choice)


_STRUCTS = dict(_structs(DOCUMENTS.values()))


def _meanings(kind: Any) -> dict[str, str]:
    """What the docstrings of its fields say, by their names in JSON."""
    if not issubclass(kind, msgspec.Struct):
        return {}
    texts: dict[str, str] = {}
    for part in kind.__mro__[kind.__mro__.index(msgspec.Struct) - 1 :: -1]:
        [tree] = ast.parse(textwrap.dedent(inspect.getsource(part))).body
        assert isinstance(tree, ast.ClassDef)
        texts |= dict(_described(tree.body))
    return {field.encode_name: texts.get(field.name, "") for field in msgspec.structs.fields(kind)}


def outputs() -> str:
    """What each command prints, and the fields of all that is in it."""
    found = output_schema()["$defs"]
    commands = [[f"`xmpplab {name}`", _form(found[name])] for name in DOCUMENTS]
    parts = [_table(["command", "prints"], commands)]
    for name in sorted(_STRUCTS):
        if properties := found[name].get("properties"):
            rows = [[f"`{key}`", _form(form), form.get("description", "")] for key, form in properties.items()]
            about = " ".join(found[name].get("description", "").split())
            parts += [f"### {name}", about, _table(["field", "type", "meaning"], rows)]
    return "\n\n".join(part for part in parts if part)


def _form(schema: dict[str, Any]) -> str:
    """A type in words."""
    match schema:
        case {"$ref": where}:
            name = where.rpartition("/")[2]
            return name if "properties" not in schema and issubclass(_STRUCTS[name], msgspec.Struct) else "string"
        case {"anyOf": choices}:
            return " or ".join(map(_form, choices))
        case {"enum": words}:
            return ", ".join(f"`{word}`" for word in words)
        case {"type": "array", "items": {} as items} if items:
            return f"list of {_form(items)}"
        case {"type": "object", "additionalProperties": {} as values} if values:
            return f"object with {_form(values)} by name"
        case {"type": str(kind)}:
            return {"array": "list", "null": "null"}.get(kind, kind)
    return "anything"


PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "architecture.md": {
        "packages": packages,
        "states": stream_states,
        "delivery": delivery_rules,
        "subscriptions": subscription_states,
    },
    "json.md": {"outputs": outputs},
    "../README.md": {"standards": standards},
    "limits.md": {"keys": limit_keys, "accounts": limits_of_accounts, "constants": bounds},
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


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


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
