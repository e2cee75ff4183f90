"""HTML as plain text, for mails that have nothing better.

libxml2's HTML parser (by lxml) reads it and calls `_Page` for each tag and text. It builds no tree, so that neither
depth nor number of elements costs more than their bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lxml import etree

_HIDDEN = frozenset(("script", "style", "template", "title"))
_BLOCK = re.compile(
    "address|article|aside|blockquote|caption|center|d[dlt]|details|div|fieldset|figcaption|figure|footer|form|h[1-6]|"
    "header|hr|legend|li|main|nav|[ou]l|p|pre|section|summary|table|tr"
)
_PARAGRAPH = frozenset(("p", "pre", "ul", "ol", "table", "blockquote"))
_CELL = frozenset(("td", "th"))
_CELL_GAP = "  "
_SPACES = re.compile(r"\s+")
"""No-break spaces too, which are used for layout."""


def text_of_html(html: str) -> str:
    """The text of a page: a line for each block and table row, `<pre>` unchanged, links with their addresses."""
    parser = etree.HTMLParser(target=_Page(), encoding="utf-8", huge_tree=True)
    parser.feed(html.encode("utf-8", "replace"))
    text: str = parser.close()
    return text


class _Page:
    """A parser target for lxml, which closes the elements that the page leaves open."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._gap = ""
        """White space that is written before the next word, and only then."""
        self._newlines = 0
        """Line ends that are written before the next word: 2 leave an empty line."""
        self._is_fresh = False
        """Nothing was written since a cell or an item began: a block that begins there adds no line break."""
        self._row_begin = 0
        self._hidden = 0
        """The number of open hidden elements; `_preformatted` likewise."""
        self._preformatted = 0
        self._address = ""
        """Of the open link. A link ends where the next one begins."""
        self._link_text: list[str] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name in _HIDDEN:
            self._hidden += 1
        elif name == "br":
            self._end_line()
        elif name == "img":
            self.data(attributes.get("alt", ""))
        elif name == "a":
            self._end_link()
            self._address = attributes.get("href", "").strip()
        elif name in _CELL:
            self._begin_cell()
        elif _BLOCK.fullmatch(name):
            self._begin_block(name)

    def end(self, name: str) -> None:
        if name in _HIDDEN:
            self._hidden -= 1
        elif name == "a":
            self._end_link()
        elif _BLOCK.fullmatch(name):
            self._break(name)
            if name == "pre":
                self._preformatted -= 1

    def data(self, text: str) -> None:
        if self._hidden or not text:
            return
        if self._preformatted:
            first, *others = text.split("\n")
            self._write(first)
            for line in others:
                if not self._is_fresh:  # the first line feed of the element is not part of its text
                    self._end_line()
                self._is_fresh = False
                self._write(line)
            return
        words = _SPACES.sub(" ", text)
        self._leave_gap(words.startswith(" "))
        self._write(words.strip(" "))
        self._leave_gap(words.endswith(" "))

    def close(self) -> str:
        self._end_link()
        self._end_line()
        return "\n".join(self._lines).strip("\n")

    def _begin_block(self, name: str) -> None:
        if name in ("li", "tr") or not self._is_fresh:
            self._break(name)
        if name == "tr":
            self._break_now()
            self._row_begin = len(self._lines)
        elif name == "li":
            self._write("- ")
            self._is_fresh = True
        elif name == "pre":
            self._preformatted += 1
            self._break_now()
            self._is_fresh = True

    def _begin_cell(self) -> None:
        if len(self._lines) > self._row_begin:  # the cells of this row have separate lines
            self._break("td")
        elif self._line:
            self._gap, self._newlines = _CELL_GAP, 0
        self._is_fresh = True

    def _break(self, name: str) -> None:
        """Start or end a block; a paragraph has an empty line around it."""
        self._newlines = max(self._newlines, 2 if name in _PARAGRAPH else 1)

    def _break_now(self) -> None:
        newlines, self._newlines = self._newlines, 0
        if newlines and self._line:
            self._end_line()
        if newlines == 2 and self._lines and self._lines[-1]:
            self._lines.append("")

    def _end_line(self) -> None:
        self._break_now()
        line = "".join(self._line).rstrip()
        if line or self._preformatted or self._lines[-1:] != [""]:  # one empty line is enough
            self._lines.append(line)
        self._line = []
        self._gap = ""

    def _leave_gap(self, is_wanted: bool) -> None:
        if is_wanted and self._line:
            self._gap = self._gap or " "

    def _write(self, words: str) -> None:
        if words:
            self._break_now()
            self._line.append(self._gap + words)
            self._gap = ""
            self._is_fresh = False
            if self._address:
                self._link_text.append(words)

    def _end_link(self) -> None:
        address, text = self._address, "".join(self._link_text)
        self._address, self._link_text = "", []
        if address.lower().startswith(("http:", "https:")) and not self._hidden and text.strip() != address:
            gap = self._gap
            self._gap = " " if self._line and not self._newlines else ""
            self._write(f"<{address}>")
            self._gap = gap
