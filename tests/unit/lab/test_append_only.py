"""Mending the append-only file of a lab's Redis."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.lab.append_only import mend, readable_bytes
from cluster.lab.logs import decode
from tests.harness import Valkey

SET = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\r\n\r\n"
MULTI, EXEC = b"*1\r\n$5\r\nMULTI\r\n", b"*1\r\n$4\r\nEXEC\r\n"
GARBAGE = bytes(range(256)) * 3


@pytest.mark.parametrize(
    ("content", "readable"),
    [
        (b"", 0),
        (SET * 3, 3 * len(SET)),
        (b"#TS:1700000000\r\n" + SET, 16 + len(SET)),
        (SET + GARBAGE, len(SET)),
        (SET + b"\0" * 4096, len(SET)),
        (SET + SET[:-1], len(SET)),
        (SET + SET[:7], len(SET)),
        (SET + b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$99999\r\n", len(SET)),
        (SET + b"*0\r\n", len(SET)),
        (SET + b"*-1\r\n", len(SET)),
        (SET + b"*" + b"9" * 100, len(SET)),
        (MULTI + SET + EXEC + SET, len(MULTI + SET + EXEC + SET)),
        (SET + MULTI + SET + GARBAGE, len(SET)),
        (SET + b"#TS:17", len(SET)),
    ],
)
def test_what_is_readable_are_whole_commands(content: bytes, readable: int) -> None:
    assert readable_bytes(io.BytesIO(content)) == readable


def written(valkey: Valkey) -> Path:
    """The file that it appends to, when it has been killed."""
    with valkey.admin.pipeline(transaction=True) as pipeline:
        for number in range(100):
            pipeline.set(f"key {number}", b"\r\n*1\r\n" * number)
        pipeline.execute()
    valkey.admin.xadd("stream", {"b": b"x" * 100_000})
    valkey.kill()
    [file] = (valkey.folder / "appendonlydir").glob("*.incr.aof")
    return file


def test_garbage_at_the_end_is_cut_off_and_kept_and_redis_starts(own_valkey: Valkey) -> None:
    file = written(own_valkey)
    before = file.read_bytes()
    file.write_bytes(before + GARBAGE)
    with pytest.raises(AssertionError, match="ended at its start"):
        own_valkey.start()
    command = [sys.executable, "-m", "cluster.lab.append_only", str(own_valkey.folder)]
    line = decode(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    kept = file.with_name(f"{file.name}.cut-off-1")
    assert kept.read_bytes() == GARBAGE
    assert file.read_bytes() == before
    assert line is not None
    assert line.level == "error"
    assert str(kept) in line.text
    own_valkey.start()
    assert own_valkey.admin.get("key 99") == b"\r\n*1\r\n" * 99
    assert own_valkey.admin.xlen("stream") == 1


def test_a_file_that_is_readable_is_left_alone(own_valkey: Valkey) -> None:
    file = written(own_valkey)
    before = file.read_bytes()
    assert mend(own_valkey.folder) == f"{file} is readable to its end"
    assert file.read_bytes() == before


def test_what_was_cut_off_earlier_is_kept_too(own_valkey: Valkey) -> None:
    file = written(own_valkey)
    for garbage in (b"one", b"two"):
        with file.open("ab") as end:
            end.write(garbage)
        mend(own_valkey.folder)
    assert [file.with_name(f"{file.name}.cut-off-{n}").read_bytes() for n in (1, 2)] == [b"one", b"two"]


def test_a_folder_without_one_is_told(tmp_path: Path) -> None:
    assert "no append-only file" in mend(tmp_path)
