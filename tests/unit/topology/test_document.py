from __future__ import annotations

from pathlib import Path

import pytest

from cluster.topology import document
from cluster.topology.problem import TopologyError

from .conftest import Problems, Write


@pytest.mark.parametrize(
    ("content", "data"),
    [
        ("a: off", {"a": "off"}),
        ("a: yes", {"a": "yes"}),
        ("a: [true, False]", {"a": [True, False]}),
        ("a: 5222", {"a": 5222}),
        ("a: -1", {"a": -1}),
        ("a: 010", {"a": 10}),
        ("a: 1.5", {"a": 1.5}),
        ("a: 12:30", {"a": "12:30"}),
        ("a: 2026-01-01", {"a": "2026-01-01"}),
        ("a: '1'", {"a": "1"}),
        ("a: !!str 1", {"a": "1"}),
        ("a:\nb: ~", {"a": None, "b": None}),
        ("1: {off: x}", {"1": {"off": "x"}}),
        ("a: &anchor {b: c}", {"a": {"b": "c"}}),
        ("\ufeffa: é", {"a": "é"}),
    ],
)
def test_scalars_are_those_of_yaml_1_2(write: Write, content: str, data: object) -> None:
    read = document.read(write(content))
    assert read.data == data
    assert read.problems == ()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "lab.yaml: the file is empty; it needs at least `name` and `servers`"),
        (b"# only a comment\n", "lab.yaml: the file is empty; it needs at least `name` and `servers`"),
        (b"a: b\nc: \xff", "lab.yaml:2:4: byte 0xff is not UTF-8; save the file as UTF-8"),
        (
            "é: b\né: \udcff".encode("utf-8", "surrogateescape"),
            "lab.yaml:2:4: byte 0xff is not UTF-8; save the file as UTF-8",
        ),
        (b"a: b\nc: \x01", "lab.yaml:2:4: U+0001 is not allowed in YAML; delete it"),
        (
            b"a: b: c",
            "lab.yaml:1:5: not valid YAML: a ':' is not allowed here: this line is indented more than those before it, "
            "or one of them has no ':', or text has a ': ' and needs quotes",
        ),
        (
            b"a:\n\tb: c",
            "lab.yaml:2:1: not valid YAML: a tab; indent with spaces, not with tabs",
        ),
        (
            b"a:\n   b: 1\n  c: 2\n",
            "lab.yaml:3:3: not valid YAML: this is not allowed here: it is indented neither like the lines above it "
            "nor like line 1, or a value continues after its closing quote",
        ),
        (b"name: @x", "lab.yaml:1:7: not valid YAML: text cannot begin with @; put it in quotes"),
        (
            b"a: {b: 1, c: 2\nd: 3\n",
            "lab.yaml:2:2: not valid YAML: a ',' is missing before this, or a '}' that ends what begins in line 1",
        ),
        (b"a: 'b\nc: d\n", "lab.yaml:3:1: not valid YAML: the quote that begins in line 1 does not end"),
        (
            b"a: 1\n---\nb: 2",
            "lab.yaml:2:1: not valid YAML: a second document begins here; one file has one, so delete from `---` on",
        ),
        (
            b"a: [,]",
            "lab.yaml:1:5: not valid YAML: a value is missing before this",
        ),
        (
            b"a: &b {}\nc: *b",
            "lab.yaml:2:4: not valid YAML: an alias (*name) is not allowed; "
            "write the value out, or give servers `defaults`",
        ),
        (
            b"a: &b [*b]",
            "lab.yaml:1:8: not valid YAML: an alias (*name) is not allowed; "
            "write the value out, or give servers `defaults`",
        ),
        (b"a: " + b"[" * 100_000, "lab.yaml: lists or mappings are nested too deeply; no topology needs that"),
    ],
)
def test_unreadable_content_is_one_problem(problems: Problems, content: bytes, expected: str) -> None:
    assert problems(content) == [expected]


def test_a_second_document_is_refused(problems: Problems) -> None:
    (line,) = problems("a: b\n---\nc: d\n")
    assert line.startswith("lab.yaml:2:1: not valid YAML: ")


def test_a_missing_file_and_a_folder_say_so(tmp_path: Path) -> None:
    with pytest.raises(TopologyError, match=r"nope\.yaml: no such file; give the path of a topology"):
        document.read(tmp_path / "nope.yaml")
    with pytest.raises(TopologyError, match="cannot be read: Is a directory; give a YAML file that you may read"):
        document.read(tmp_path)


def test_yaml_that_can_be_read_has_all_its_problems_listed(write: Write) -> None:
    path = write("""
        a: {b: 1, b: 2}
        a: 3
        ? [x]
        : y
        c: !python/name:os.system x
        d: !!int x
    """)
    read = document.read(path)
    assert [str(problem).removeprefix(f"{path}:") for problem in read.problems] == [
        "1:11: a.b: this key is in line 1 already; keep one of the two",
        "2:1: a: this key is in line 1 already; keep one of the two",
        "3:3: a key is a list or a mapping; allowed: text",
        "5:4: c: the tag !python/name:os.system does not fit here; leave tags out",
        "6:4: d: the tag tag:yaml.org,2002:int does not fit here; leave tags out",
    ]
    assert read.data == {"a": {"b": 1}, "c": "x", "d": "x"}


@pytest.mark.parametrize(
    ("path", "at_key", "place"),
    [
        ((), False, (1, 1)),
        (("a", "b", 1), False, (2, 10)),
        (("a", "b", 1), True, (2, 10)),
        (("a", "b"), False, (2, 6)),
        (("a", "b"), True, (2, 3)),
        (("a", "missing"), True, (1, 1)),
        (("a", "missing"), False, (1, 1)),
        (("a", "b", 1, "missing"), False, (2, 10)),
    ],
)
def test_a_problem_stands_at_its_value_its_key_or_what_should_hold_it(
    write: Write, path: tuple[str | int, ...], at_key: bool, place: tuple[int, int]
) -> None:
    read = document.read(write("a:\n  b: [x, y]\n"))
    problem = read.problem(path, "wrong", at_key=at_key)
    assert (problem.line, problem.column) == place
