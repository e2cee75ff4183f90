"""Random XML for hypothesis: a tree, and one of the many ways to spell it (XML 1.0, Namespaces in XML 1.0)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from hypothesis import strategies as st

from cluster.xmpp.namespaces import CLIENT, STREAMS, XML

Draw = Callable[[st.SearchStrategy[Any]], Any]

NAMESPACES = (CLIENT, "", "urn:x", "http://jabber.org/protocol/muc", STREAMS)
LOCAL_NAMES = ("body", "x", "message", "html", "a-b.c", "prénom")
PREFIXES = ("p", "message", "stream", "iq-x")

characters = st.one_of(
    st.sampled_from("<>&\"'/]= \t\n\r"),
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"),
)
texts = st.text(characters, max_size=12)
names = st.tuples(st.sampled_from(NAMESPACES), st.sampled_from(LOCAL_NAMES)).map(
    lambda name: f"{{{name[0]}}}{name[1]}" if name[0] else name[1]
)
attributes = st.dictionaries(st.one_of(names, st.just(f"{{{XML}}}lang")), texts, max_size=3)


@dataclass(frozen=True)
class Header:
    """How a client opened its stream, and the prefixes that hold in it because of that."""

    raw: bytes
    scope: dict[str, str]


def _header(name: str, scope: dict[str, str]) -> Header:
    declared = " ".join(f"xmlns{':' + prefix if prefix else ''}='{uri}'" for prefix, uri in scope.items())
    raw = f"<?xml version='1.0'?>\n<{name} to='montague.lit' version='1.0' {declared}>".encode()
    return Header(raw, scope if "" in scope else {"": "", **scope})


USUAL = _header("stream:stream", {"": CLIENT, "stream": STREAMS})
HEADERS = (
    USUAL,
    _header("stream:stream", {"": CLIENT, "stream": STREAMS, "p": "urn:x", "message": CLIENT}),
    _header("s:stream", {"": CLIENT, "s": STREAMS}),
    _header("s:stream", {"": CLIENT, "s": STREAMS, "stream": "urn:x"}),
    _header("stream:stream", {"stream": STREAMS}),  # no default namespace
    _header("stream:stream", {"stream": STREAMS, "p": CLIENT}),
    _header("stream:stream", {"": "jabber:server", "stream": STREAMS}),
    _header("stream", {"": STREAMS}),
)


@st.composite
def trees(draw: Draw, tag: st.SearchStrategy[str] = names, depth: int = 3) -> Element:
    """Any tree; texts and tails are never None, so that equal trees have equal `facts`."""
    element = Element(draw(tag), draw(attributes))
    element.text = draw(texts)
    for _ in range(draw(st.integers(0, 2)) if depth else 0):
        child = draw(trees(depth=depth - 1))
        child.tail = draw(texts)
        element.append(child)
    return element


stanzas = trees(tag=st.sampled_from([f"{{{CLIENT}}}{kind}" for kind in ("message", "presence", "iq")]))


def facts(element: Element) -> tuple[object, ...]:
    """What two spellings of the same tree have in common; for comparison."""
    children = [(facts(child), child.tail or "") for child in element]
    return (element.tag, dict(element.items()), element.text or "", children)


def spell(draw: Draw, element: Element, scope: dict[str, str]) -> str:
    """One spelling of the tree where `scope` holds (namespace by prefix)."""
    tag = _Tag(draw, scope)
    name = tag.qualified(element.tag)
    parts = [
        f"{tag.qualified(key, attribute=True)}{_space(draw)}={_space(draw)}{_quoted(draw, value)}"
        for key, value in draw(st.permutations(list(element.items())))
    ]
    parts += [f"xmlns{':' + prefix if prefix else ''}={_quoted(draw, uri)}" for prefix, uri in tag.declared.items()]
    opening = "".join([name, *(draw(st.sampled_from(" \n\t")) + part for part in draw(st.permutations(parts)))])
    content = _text(draw, element.text or "")
    for child in element:
        content += spell(draw, child, tag.scope) + _text(draw, child.tail or "")
    if not content and draw(st.booleans()):
        return f"<{opening}{_space(draw)}/>"
    return f"<{opening}{_space(draw)}>{content}</{name}{_space(draw)}>"


class _Tag:
    """The prefixes of one tag: those that hold already, and those that it declares."""

    def __init__(self, draw: Draw, scope: dict[str, str]) -> None:
        self.scope = dict(scope)
        self.declared: dict[str, str] = {}
        self._draw = draw
        self._used: set[str] = set()

    def qualified(self, name: str, attribute: bool = False) -> str:
        """The `{namespace}local` name with a prefix that stands for its namespace."""
        namespace, _, local = name.rpartition("}")
        if attribute and not namespace:
            return local
        prefix = "xml" if namespace[1:] == XML else self._prefix(namespace[1:], attribute)
        return f"{prefix}:{local}" if prefix else local

    def _prefix(self, namespace: str, attribute: bool) -> str:
        allowed = [*PREFIXES] if attribute else ["", *PREFIXES] if namespace else [""]
        known = [prefix for prefix in self.scope if self.scope[prefix] == namespace and not (attribute and not prefix)]
        fresh = [prefix for prefix in allowed if prefix not in self._used]
        prefix: str = self._draw(st.sampled_from(known + fresh))
        self._used.add(prefix)
        if self.scope.get(prefix) != namespace:
            self.declared[prefix] = self.scope[prefix] = namespace
        return prefix


def _space(draw: Draw) -> str:
    return str(draw(st.sampled_from(["", "", " ", "\n"])))


def _quoted(draw: Draw, value: str) -> str:
    quote = draw(st.sampled_from("'\""))
    escaped = "".join(_reference(draw, c) if c in f"<&\t\n\r{quote}" else c for c in value)
    return f"{quote}{escaped}{quote}"


def _text(draw: Draw, text: str) -> str:
    if "]]>" not in text and "\r" not in text and draw(st.booleans()):
        return f"<![CDATA[{text}]]>"
    return "".join(_reference(draw, c) if c in "<&>\r" else c for c in text)


def _reference(draw: Draw, character: str) -> str:
    named = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "'": "&apos;", '"': "&quot;"}
    numeric = [f"&#{ord(character)};", f"&#x{ord(character):X};"]
    return str(draw(st.sampled_from(numeric + [n for c, n in named.items() if c == character])))
