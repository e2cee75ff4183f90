"""The section `links`: transports and faults between servers. Its keys are the faults of the router."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from cluster.base.units import WINDOWS, Unit
from cluster.kinds.base.finding import Finding, KeyPath, choice
from cluster.kinds.base.values import NodeName
from cluster.kinds.xmpplab import USUAL
from cluster.router.fault import Fault
from cluster.router.faults import known
from cluster.topology.strict import Section, derived


def _written(quantity: Unit) -> Any:
    """The type of a key whose value is such a quantity."""

    def read(value: object) -> Any:
        values = value if quantity is WINDOWS and isinstance(value, list) else [value]
        texts = [text for text in values if isinstance(text, str)]
        if not texts or len(texts) < len(values):
            raise ValueError(f"{value!r} is not allowed here; write {quantity.form}")
        return quantity.parse(", ".join(texts))

    text = {"type": "string", "pattern": quantity.pattern}
    schema = {"anyOf": [text, {"type": "array", "items": text}]} if quantity is WINDOWS else text
    return Annotated[Any, BeforeValidator(read), WithJsonSchema(schema)]


def _key(fault: Fault) -> Any:
    return _written(fault.quantity), Field(default=None, description=fault.meaning)


def _two(value: object) -> object:
    if isinstance(value, list) and (len(value) != 2 or value[0] == value[1]):
        raise ValueError("a link joins two servers; write between: [s1, s2]")
    return value


_ENDS: dict[str, Any] = {
    "between": (
        Annotated[list[NodeName] | None, BeforeValidator(_two)],
        Field(default=None, description="Two servers: the faults hold for both directions between them."),
    ),
    "from": (NodeName | None, Field(default=None, description="The server that sends: the faults hold one way.")),
    "to": (NodeName | None, Field(default=None, description="The server that receives.")),
    "transport": (
        Literal["redis", "s2s", "bidi"] | None,
        Field(
            default=None,
            description="What carries the stanzas both ways `between` two servers: streams in Redis, which is the"
            " default (`redis`), or the servers' own XML streams over TCP: one for each direction (`s2s`, RFC 6120), or"
            " one for both, if both servers can (`bidi`, XEP-0288).",
        ),
    ),
}

Link: type[Section] = derived(
    Section,
    "Link",
    "The link between two servers, and its faults: `between` two, or `from` one `to` another.",
    **_ENDS,
    **{key: _key(fault) for key, fault in known().items()},
)
"""One entry of the section. The registry of the faults makes its keys, so that a new fault needs nothing here."""


def directions(link: Section) -> list[tuple[str, str]]:
    """The pairs of servers that an entry speaks of, sender first."""
    between = getattr(link, "between")  # noqa: B009  # of a model that is made while it runs
    if between:
        return [(between[0], between[1]), (between[1], between[0])]
    return [(getattr(link, "from"), getattr(link, "to"))]  # noqa: B009


def faults_of(link: Section) -> dict[str, Any]:
    """The faults that an entry gives its links."""
    return {key: value for key in known() if (value := getattr(link, key)) is not None}


def kind_findings(data: Mapping[str, Any], kinds: Mapping[str, object]) -> Iterator[Finding]:
    """Keys that a link cannot have because of the kinds of its servers. `kinds`: by name of the server."""
    links = data.get("links")
    for index, link in enumerate(links if isinstance(links, list) else []):
        ends = _ends(link) if isinstance(link, dict) else None
        foreign = [end for end in ends or () if (kinds.get(end) or USUAL) != USUAL]
        if not foreign:
            continue
        if link.get("transport") == "redis":
            kind = kinds[foreign[0]]
            text = f"{foreign[0]} is of kind {kind}, which knows no Redis; write s2s or bidi, or delete this key"
            yield Finding(("links", index, "transport"), text)
        if len(foreign) == 2 and (faults := [key for key in link if key in known()]):
            text = f"no server of kind {USUAL} is at this link, and no other has faults; delete {', '.join(faults)}"
            yield Finding(("links", index), text)


def pairs_over(transports: Collection[str], found: Iterable[Section]) -> set[frozenset[str]]:
    """The pairs of servers whose link has one of these transports."""
    return {frozenset(directions(link)[0]) for link in found if getattr(link, "transport") in transports}  # noqa: B009


def findings(data: Mapping[str, Any], servers: Mapping[str, Any]) -> Iterator[Finding]:
    """Ends that are not servers, and faults or transports that a direction has twice."""
    links, mesh = data.get("links"), data.get("mesh") is not False
    seen: dict[tuple[str, str, str], int] = {}
    for index, link in enumerate(links if isinstance(links, list) else []):
        if not isinstance(link, dict):
            continue
        path: KeyPath = ("links", index)
        ends = _ends(link)
        if ends is None:
            text = "a link needs `between: [s1, s2]` for both directions, or `from: s1` and `to: s2` for one"
            yield Finding(path, text)
            continue
        if ends[0] == ends[1]:
            yield Finding(path, f"{ends[0]} cannot have a link to itself; name two servers")
        for end in ends:
            if servers and end not in servers:
                yield Finding(path, f"no server {end!r}{choice(end, sorted(servers))}")
        if mesh and "transport" not in link and not any(key in known() for key in link):
            yield Finding(path, f"this link has no fault; write one of: {', '.join(known())}")
        if "transport" in link and "between" not in link:
            text = "a transport is that of both directions; write `between: [s1, s2]` in place of `from` and `to`"
            yield Finding((*path, "transport"), text, at_key=True)
        yield from _twice(path, index, link, ends, seen)


def _twice(
    path: KeyPath, index: int, link: Mapping[str, Any], ends: tuple[str, str], seen: dict[tuple[str, str, str], int]
) -> Iterator[Finding]:
    """Record in `seen` which entry gives a direction a fault or transport."""
    for key in [key for key in link if key in known()]:
        for pair in [ends, ends[::-1]] if "between" in link else [ends]:
            yield from _note(path, index, (*pair, key), seen)
    if "transport" in link:
        one, other = sorted(ends)
        yield from _note(path, index, (one, other, "transport"), seen)


def _note(
    path: KeyPath, index: int, what: tuple[str, str, str], seen: dict[tuple[str, str, str], int]
) -> Iterator[Finding]:
    first = seen.setdefault(what, index)
    if first != index:
        from_, to, key = what
        text = f"links[{first}] has a {key} from {from_} to {to} already; keep one of the two"
        yield Finding((*path, key), text, at_key=True)


def _ends(link: Mapping[str, Any]) -> tuple[str, str] | None:
    """The two servers that an entry names, as far as it has the right form."""
    between = link.get("between")
    ends = between if "between" in link else [link.get("from"), link.get("to")]
    if "between" in link and ("from" in link or "to" in link):
        return None
    if not isinstance(ends, list) or len(ends) != 2 or not all(isinstance(end, str) for end in ends):
        return None
    return ends[0], ends[1]
