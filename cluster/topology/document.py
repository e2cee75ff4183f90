"""A YAML file as plain data that remembers its places. Strict: no key twice, no aliases, and YAML 1.2 words only.

In YAML 1.1, which PyYAML speaks, `off` and `no` are booleans; in 1.2, which editors speak, they are words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml
from yaml.composer import ComposerError
from yaml.reader import ReaderError

from cluster.kinds.base.finding import KeyPath
from cluster.topology.problem import Problem, TopologyError, dotted
from cluster.topology.yaml_errors import in_plain_words


class _Loader(yaml.SafeLoader):
    """Composes nodes only; the scalars are those of the YAML 1.2 core schema, in decimal."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  # PyYAML's own way: add_implicit_resolver copies it

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            message = "an alias (*name) is not allowed; write the value out, or give servers `defaults`"
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise ComposerError(None, None, message, mark)
        return super().compose_node(parent, index)  # type: ignore[arg-type]  # typeshed says int; mappings pass nodes


_SCALARS: dict[str, tuple[re.Pattern[str], Callable[[str], object]]] = {
    "tag:yaml.org,2002:null": (re.compile(r"^(~|null|Null|NULL|)$"), lambda text: None),
    "tag:yaml.org,2002:bool": (re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), lambda text: text[0] in "tT"),
    "tag:yaml.org,2002:int": (re.compile(r"^[-+]?[0-9]{1,18}$"), int),
    "tag:yaml.org,2002:float": (re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$"), float),
    "tag:yaml.org,2002:str": (re.compile(""), str),
}
"""Tag: what a plain scalar of it looks like, and its value. The first that fits is meant."""

for _tag, (_pattern, _) in _SCALARS.items():
    _Loader.add_implicit_resolver(_tag, _pattern, None)


_SURROGATE = re.compile("[\ud800-\udfff]")
_HALF = "an escape from \\uD800 to \\uDFFF is half a character; write the character itself"


@dataclass(frozen=True)
class Document:
    """What stands in the file, and where."""

    file: str
    root: yaml.Node
    data: object
    """Dicts with text keys, lists, and scalars."""
    problems: tuple[Problem, ...]
    """What is wrong with the YAML itself, though it could be read."""

    def problem(self, path: KeyPath, message: str, *, at_key: bool = False) -> Problem:
        """A problem with the value at this path (or its key); one that is not there stands at what should hold it."""
        key, value = self.root, self.root
        for step in path:
            found = _child(value, step)
            if found is None:
                at_key = True
                break
            key, value = found
        return _problem(self.file, path, (key if at_key else value).start_mark, message)


_PIPES: dict[Path, bytes] = {}
"""The content of what can be read once only, such as /dev/stdin: a command may look what it is before it reads it."""


def read(path: Path) -> Document:
    """Read a YAML file. Raises TopologyError where there is nothing to go on with."""
    file = str(path)
    text = _text(path)
    try:
        root = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        reason = in_plain_words(error)
        mark = error.problem_mark or error.context_mark
        if mark is None:
            raise _unusable(file, reason) from None
        raise TopologyError([_problem(file, (), mark, f"not valid YAML: {reason}")]) from None
    except ReaderError as error:
        character = ord(error.character) if isinstance(error.character, str) else error.character
        raise _unusable(file, f"U+{character:04X} is not allowed in YAML; delete it", text[: error.position]) from None
    except RecursionError:
        raise _unusable(file, "lists or mappings are nested too deeply; no topology needs that") from None
    if root is None:
        raise _unusable(file, "the file is empty; it needs at least `name` and `servers`")
    problems: list[Problem] = []
    data = _plain(root, (), file, problems)
    return Document(file, root, data, tuple(problems))


def _text(path: Path) -> str:
    file = str(path)
    try:
        content = _content(path)
    except FileNotFoundError:
        raise _unusable(file, "no such file; give the path of a topology (YAML)") from None
    except OSError as error:
        raise _unusable(file, f"cannot be read: {error.strerror}; give a YAML file that you may read") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", "replace")
        raise _unusable(
            file, f"byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8", before
        ) from None


def _content(path: Path) -> bytes:
    """Raises OSError."""
    if path in _PIPES:
        return _PIPES[path]
    content = path.read_bytes()
    if not path.is_file():
        _PIPES[path] = content
    return content


def _unusable(file: str, message: str, before: str | None = None) -> TopologyError:
    """The error that ends the reading; `before` is the text in front of the place, None for the whole file."""
    if before is None:
        return TopologyError([Problem(file, 0, 0, "", message)])
    return TopologyError([Problem(file, before.count("\n") + 1, len(before) - before.rfind("\n"), "", message)])


def _plain(node: yaml.Node, path: KeyPath, file: str, problems: list[Problem]) -> object:
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, (*path, index), file, problems) for index, child in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, path, file, problems)
    data: dict[str, object] = {}
    first_lines: dict[str, int] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            problems.append(_problem(file, path, key.start_mark, "a key is a list or a mapping; allowed: text"))
            continue
        name, line = key.value, key.start_mark.line + 1
        if _SURROGATE.search(name):
            problems.append(_problem(file, path, key.start_mark, _HALF))
            continue
        if name in data:
            message = f"this key is in line {first_lines[name]} already; keep one of the two"
            problems.append(_problem(file, (*path, name), key.start_mark, message))
            continue
        first_lines[name] = line
        data[name] = _plain(value, (*path, name), file, problems)
    return data


def _scalar(node: yaml.ScalarNode, path: KeyPath, file: str, problems: list[Problem]) -> object:
    if _SURROGATE.search(node.value):
        problems.append(_problem(file, path, node.start_mark, _HALF))
        return "?"
    pattern, convert = _SCALARS.get(node.tag, (None, str))
    if pattern is None or not pattern.match(node.value):
        message = f"the tag {node.tag} does not fit here; leave tags out"
        problems.append(_problem(file, path, node.start_mark, message))
        return node.value
    return convert(node.value)


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Key and value at this step; a list item is its own key."""
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
        return node.value[step], node.value[step]
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == step), None)
    return None


def _problem(file: str, path: KeyPath, mark: yaml.Mark, message: str) -> Problem:
    return Problem(file, mark.line + 1, mark.column + 1, dotted(path), message)
