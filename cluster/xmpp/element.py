"""XML trees for handlers: the standard library's Element, and its way to and from the wire.

The message path never builds a tree; it passes slices of the input on (see parser.py).
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, XMLParser
from xml.sax.saxutils import escape, quoteattr

from cluster.xmpp.namespaces import CLIENT, STREAMS, XML

__all__ = ["Element", "SubElement", "parse", "serialize", "split", "text_of"]

_CONTEXT = f"<context xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>".encode()


def parse(raw: bytes, context: bytes = _CONTEXT) -> Element:
    """The tree of one slice; `context` is an opening tag `<context …>` with the namespaces that hold around it."""
    parser = XMLParser()
    parser.feed(context)
    parser.feed(raw)
    parser.feed(b"</context>")
    return parser.close()[0]


def serialize(element: Element, inherited: str = CLIENT) -> bytes:
    """UTF-8 XML of the tree, with a declaration only where the namespace changes from `inherited`."""
    parts: list[str] = []
    _write(element, inherited, parts)
    return "".join(parts).encode()


def _write(element: Element, inherited: str, parts: list[str]) -> None:
    namespace, name = split(element.tag)
    prefixed = f"stream:{name}" if namespace == STREAMS else name
    declared = inherited if namespace == STREAMS else namespace
    parts.append(f"<{prefixed}")
    if declared != inherited:
        parts.append(f" xmlns={quoteattr(declared)}")
    for count, (key, value) in enumerate(element.items()):
        attribute_namespace, attribute_name = split(key)
        if attribute_namespace == XML:
            attribute_name = f"xml:{attribute_name}"
        elif attribute_namespace:
            parts.append(f" xmlns:a{count}={quoteattr(attribute_namespace)}")
            attribute_name = f"a{count}:{attribute_name}"
        parts.append(f" {attribute_name}={quoteattr(value)}")
    if not element.text and not len(element):
        parts.append("/>")
        return
    parts.append(">")
    if element.text:
        parts.append(escape(element.text, {"\r": "&#13;"}))
    for child in element:
        _write(child, declared, parts)
        if child.tail:
            parts.append(escape(child.tail, {"\r": "&#13;"}))
    parts.append(f"</{prefixed}>")


def split(name: str) -> tuple[str, str]:
    """`{namespace}local` as its two parts; the namespace is empty where there is none."""
    if name.startswith("{"):
        namespace, _, local = name[1:].partition("}")
        return namespace, local
    return "", name


def text_of(element: Element, name: str) -> str | None:
    """The text of the first child with this `{namespace}name`, None without one; no text is ''."""
    child = element.find(name)
    return None if child is None else child.text or ""
