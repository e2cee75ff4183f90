"""What a user did whose file the YAML parser cannot read: it tells in the terms of its grammar."""

from __future__ import annotations

import re

import yaml

_WORDS = (
    (r"mapping values are not allowed",
     "a ':' is not allowed here: this line is indented more than those before it, or one of them has no ':', or text "
     "has a ': ' and needs quotes"),
    (r"sequence entries are not allowed", "a '-' is not allowed here; begin a new line with it"),
    (r"character '\\t'", "a tab; indent with spaces, not with tabs"),
    (r"found character '(?P<character>.)' that cannot start", "text cannot begin with {character}; put it in quotes"),
    (r"expected <block end>",
     "this is not allowed here: it is indented neither like the lines above it nor like line {begin}, or "
     "a value continues after its closing quote"),
    (r"expected ',' or '(?P<closing>[}\]])'",
     "a ',' is missing before this, or a '{closing}' that ends what begins in line {begin}"),
    (r"could not find expected ':'", "a key without its ':'; write `key: value`, with a space after the colon"),
    (r"found unexpected end of stream", "the quote that begins in line {begin} does not end"),
    (r"found unknown escape character", "a backslash in double quotes; write it twice, or use single quotes"),
    (r"another document", "a second document begins here; one file has one, so delete from `---` on"),
    (r"(expected the node content|while parsing a flow node)", "a value is missing before this"),
)  # fmt: skip
"""What PyYAML says, and what that means; `begin` is the line of what it was reading."""


def in_plain_words(error: yaml.MarkedYAMLError) -> str:
    """What is wrong and what to do; the parser's own words for what is rare."""
    problem = error.problem or "this is not YAML"
    begin = error.context_mark or error.problem_mark
    for pattern, words in _WORDS:
        if found := re.search(pattern, problem):
            return words.format(begin=begin.line + 1 if begin else "?", **found.groupdict())
    return problem
