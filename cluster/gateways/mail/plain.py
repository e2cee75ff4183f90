"""HTML as a plain text, for mails that have nothing better.

Not with `html.parser`, which takes minutes for a hundred kilobytes of tags that never end; here each character is
looked at a few times, whatever it is.
"""

from __future__ import annotations

import re
from html import unescape

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*+)([^<>]*+)>")
_ATTRIBUTE = re.compile(r"""\b(href|alt)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_DECLARATION = re.compile(r"<[!?][^<>]*>")

_SILENT = frozenset(("head", "script", "style", "title", "template"))
_BLOCK = re.compile(
    "address|article|aside|blockquote|br|center|d[dlt]|div|footer|form|h[1-6]|header|hr|li|main|nav|[ou]l|p|pre|section|"
    "table|tr"
)


def text_of_html(html: str) -> str:
    """The words of a page, a line for each block; links keep their addresses."""
    reader = _Reader()
    html = _DECLARATION.sub("", _without_comments(html))
    end = 0
    for tag in _TAG.finditer(html):
        reader.words(html[end : tag.start()])
        reader.tag(tag.group(2).lower(), bool(tag.group(1)), tag.group(3))
        end = tag.end()
    reader.words(html[end:])
    lines = (re.sub(r"\s+", " ", line).strip() for line in "".join(reader.parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _without_comments(html: str) -> str:
    first, *others = html.split("<!--")
    return first + "".join(other.partition("-->")[2] for other in others)


class _Reader:
    def __init__(self) -> None:
        self.parts: list[str] = []
        self._silent = ""
        """The element that is not shown, up to its end."""
        self._link = ""
        self._link_begin = 0

    def words(self, text: str) -> None:
        """What stands between two tags."""
        if not self._silent:
            self.parts.append(re.sub(r"\s+", " ", unescape(text)))

    def tag(self, name: str, is_end: bool, attributes: str) -> None:
        """A start or end tag."""
        if self._silent:
            if is_end and name == self._silent:
                self._silent = ""
        elif not is_end and name in _SILENT:
            self._silent = name
        elif name == "a":
            self._end_link()
            self._link, self._link_begin = _attribute(attributes, "href"), len(self.parts)
        elif name == "img":
            self.parts.append(_attribute(attributes, "alt"))
        elif _BLOCK.fullmatch(name):
            self.parts.append("\n\n" if name == "p" else "\n")
            if name == "li" and not is_end:
                self.parts.append("- ")

    def _end_link(self) -> None:
        shown = "".join(self.parts[self._link_begin :]).strip()
        if self._link.startswith(("http:", "https:")) and self._link != shown:
            self.parts.append(f" <{self._link}>")


def _attribute(attributes: str, name: str) -> str:
    for found in _ATTRIBUTE.finditer(attributes):
        if found.group(1).lower() == name:
            return unescape(found.group(2) or found.group(3) or found.group(4) or "")
    return ""
