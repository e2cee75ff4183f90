"""XML trees for handlers: the standard library's Element, parsed and serialized.

The message path builds no tree; it passes slices of the input on (see parser.py).
"""

from __future__ import annotations

import re
from functools import lru_cache
from xml.etree.ElementTree import Element, SubElement, XMLParser

from cluster.xmpp.namespaces import CLIENT, STREAMS, XML
from cluster.xmpp.quoting import quoteattr

__all__ = ["NOT_XML", "Element", "SubElement", "canonical", "check_text", "parse", "serialize", "split", "text_of"]

_LONG = 64
"""A longer namespace is declared once with a prefix: repeated in each element, it would turn a stanza of 256 KB into
one of 400 MB. Those of the extensions are shorter."""

_CONTEXT = f"<context xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>".encode()


NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""XML 1.0 section 2.2: NUL, other control characters and lone surrogates are not allowed in a stanza."""


def check_text(text: str) -> None:
    """Raises ValueError for a text with a character that XML does not allow (XML 1.0 section 2.2)."""
    if found := NOT_XML.search(text):
        raise ValueError(f"a text in XML cannot have the character U+{ord(found[0]):04X}")


def parse(raw: bytes, context: bytes = _CONTEXT) -> Element:
    """The tree of one slice; `context` is an opening tag `<context …>` with the namespace declarations around it."""
    parser = XMLParser()
    parser.feed(b"%b%b</context>" % (context, raw))
    return parser.close()[0]


def serialize(element: Element, inherited: str = CLIENT) -> bytes:
    """The XML of the tree in UTF-8, with a declaration only where the namespace changes from `inherited`."""
    parts: list[str] = []
    prefixes: dict[str, str] = {}
    _write(element, inherited, parts, prefixes)
    if prefixes:
        behind = len(element.attrib) + 1  # `from` stays first
        parts[behind:behind] = [f" xmlns:{prefix}={quoteattr(namespace)}" for namespace, prefix in prefixes.items()]
    return "".join(parts).encode()


def canonical(raw: bytes) -> bytes:
    """One slice in the form of `serialize`: without CDATA, and with prefixes only for long namespaces."""
    return serialize(parse(raw))


def _write(element: Element, inherited: str, parts: list[str], prefixes: dict[str, str]) -> None:
    tag, text = element.tag, element.text
    name, declared, opening = _short(tag, inherited) if len(tag) <= _LONG else _opening(tag, inherited, prefixes)
    parts.append(opening)
    for count, (key, value) in enumerate(element.items()):
        attribute = key if key[:1] != "{" else _attribute(key, count, prefixes)
        parts.append(f" {attribute}={quoteattr(value)}")
    if not text and not len(element):
        parts.append("/>")
        return
    parts.append(">")
    if text:
        parts.append(_escaped(text))
    for child in element:
        _write(child, declared, parts, prefixes)
        if child.tail:
            parts.append(_escaped(child.tail))
    parts.append(f"</{name}>")


@lru_cache(maxsize=1_024)
def _short(tag: str, inherited: str) -> tuple[str, str, str]:
    """As `_opening`, of a tag that needs no prefix."""
    return _opening(tag, inherited, {})


def _opening(tag: str, inherited: str, prefixes: dict[str, str]) -> tuple[str, str, str]:
    """The name of an element with its prefix, the default namespace in it, and how its opening tag begins."""
    namespace, name = split(tag)
    declared = inherited
    if namespace == STREAMS:
        name = f"stream:{name}"
    elif len(namespace) > _LONG and namespace != inherited:
        name = f"{_prefix(namespace, prefixes)}:{name}"
    else:
        declared = namespace
    return name, declared, f"<{name}" if declared == inherited else f"<{name} xmlns={quoteattr(declared)}"


def _attribute(key: str, count: int, prefixes: dict[str, str]) -> str:
    """The name of an attribute with a namespace, the `count`th of its element, after the declaration of its prefix."""
    namespace, name = split(key)
    if not namespace:
        return name
    if namespace == XML:
        return f"xml:{name}"
    if len(namespace) > _LONG:
        return f"{_prefix(namespace, prefixes)}:{name}"
    return f"xmlns:a{count}={quoteattr(namespace)} a{count}:{name}"


def _prefix(namespace: str, prefixes: dict[str, str]) -> str:
    return prefixes.setdefault(namespace, f"n{len(prefixes)}")


def _escaped(text: str) -> str:
    """Escape only what must be (XML 1.0 section 2.4), so that a text is not longer than its sender wrote it outside of
    CDATA."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("]]>", "]]&gt;").replace("\r", "&#13;")


def split(name: str) -> tuple[str, str]:
    """The two parts of `{namespace}local`; the namespace is empty if there is none."""
    if name.startswith("{"):
        namespace, _, local = name[1:].partition("}")
        return namespace, local
    return "", name


def text_of(element: Element, name: str) -> str | None:
    """The text of the first child with this `{namespace}name`, None without one; an empty child has ''."""
    child = element.find(name)
    return None if child is None else child.text or ""
