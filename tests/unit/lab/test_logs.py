from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cluster.lab import lines
from cluster.lab.logs import LogFile, LogLine, LogReader, ProcessLogs, decode, encode, read_output, tail, utc_text

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LINE = LogLine("2026-11-20T11:59:59.000000+00:00", "warning", "Wherefore art thou Romeo?")


def test_a_line_survives_its_file() -> None:
    assert decode(encode(LINE).rstrip()) == LINE


def test_what_is_no_log_line_becomes_one(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "s1.jsonl")
    for raw in (encode(LINE).rstrip(), b"Traceback (most recent call last):", b'{"other": "JSON"}', b"\xff"):
        log.write(read_output(raw, NOON, "error"))
    log.close()
    noon = "2026-11-20T12:00:00.000000+00:00"
    assert LogReader(tmp_path / "s1.jsonl").read() == [
        LINE,
        LogLine(noon, "error", "Traceback (most recent call last):"),
        LogLine(noon, "error", '{"other": "JSON"}'),
        LogLine(noon, "error", "\ufffd"),
    ]


def test_a_line_is_read_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "s1.jsonl"
    reader = LogReader(path)
    assert reader.read() == []
    raw = encode(LINE)
    path.write_bytes(raw + raw[:10])
    assert reader.read() == [LINE]
    assert reader.read() == []
    path.write_bytes(raw + raw)
    assert reader.read() == [LINE]


def test_all_nodes_are_one_story_by_time(tmp_path: Path) -> None:
    for node, seconds in (("s1", (1, 4)), ("s2", (2, 3))):
        lines = [LogLine(f"2026-11-20T12:00:0{second}", "info", str(second)) for second in seconds]
        (tmp_path / f"{node}.jsonl").write_bytes(b"".join(map(encode, lines)))
    assert [(node, line.text) for node, line in ProcessLogs(tmp_path, None).read()] == [
        ("s1", "1"),
        ("s2", "2"),
        ("s2", "3"),
        ("s1", "4"),
    ]
    assert [line.text for _, line in ProcessLogs(tmp_path, "s2").read()] == ["2", "3"]


def test_a_story_goes_on_with_nodes_that_come_later(tmp_path: Path) -> None:
    story = ProcessLogs(tmp_path, None)
    assert list(story.read()) == []
    (tmp_path / "s1.jsonl").write_bytes(encode(LINE))
    assert list(story.read()) == [("s1", LINE)]
    assert list(story.read()) == []


def test_tail_shows_the_end_also_of_raw_output(tmp_path: Path) -> None:
    path = tmp_path / "supervisor.jsonl"
    path.write_bytes(b"one\ntwo\nthree\n")
    assert tail(path, 2) == ["two", "three"]
    assert tail(tmp_path / "absent.jsonl", 2) == []


def test_a_file_has_a_bound_and_its_reader_misses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_FILE_BYTES", 2_000)
    path = tmp_path / "s1.jsonl"
    log, story, late = LogFile(path), ProcessLogs(tmp_path, None), LogReader(path)
    read: list[str] = []
    for number in range(200):
        log.write(LogLine(utc_text(NOON), "info", f"line {number}"))
        if number % 7 == 0:  # more often than the file is put aside
            read += [line.text for _, line in story.read()]
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 4_000
    read += [line.text for _, line in story.read()]
    assert read == [f"line {number}" for number in range(200)]
    kept = [line.text for line in late.read()]
    assert kept == read[-len(kept) :]
    assert len(kept) > 20
    log.close()
    log = LogFile(path)  # a new supervisor goes on with the file
    log.write(LogLine(utc_text(NOON), "info", "x" * 1_900))
    log.close()
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 4_000
    assert [line.text for _, line in story.read()] == ["x" * 1_900]
