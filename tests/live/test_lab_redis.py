"""The lab's own Redis, and its rooms in an existing one."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as redis_py

from cluster.lab.errors import LabError
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.provision import redis
from cluster.lab.wait import wait_until
from cluster.redisio.keys import Keys
from cluster.topology.plan import Plan
from tests.harness import PATIENCE_S, Valkey
from tests.unit.lab.plan import make_plan

pytestmark = pytest.mark.live


@pytest.fixture
def folder() -> Iterator[LabFolder]:
    path = Path(tempfile.mkdtemp(prefix="xmpplab-"))
    folder = LabFolder(path / "verona")
    folder.create()
    yield folder
    shutil.rmtree(path)


@pytest.fixture
def process(folder: LabFolder) -> Iterator[subprocess.Popen[bytes]]:
    """The lab's own Redis, running."""
    redis.configure(folder, make_plan(folder.path))
    with subprocess.Popen(redis.command(folder), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert wait_until(lambda: answers(folder.secrets()[ADMIN]) or process.poll() is not None, PATIENCE_S)
        yield process
        process.terminate()


def answers(url: str) -> bool:
    with redis_py.Redis.from_url(url) as client:
        try:
            return bool(client.ping())
        except redis_py.ConnectionError:
            return False


@pytest.mark.usefixtures("process")
def test_nobody_gets_in_without_a_password(folder: LabFolder) -> None:
    with (
        redis_py.Redis(unix_socket_path=str(folder.redis_socket)) as client,
        pytest.raises(redis_py.AuthenticationError),
    ):
        client.ping()


@pytest.mark.usefixtures("process")
def test_a_domain_may_write_its_own_store_and_not_anothers(folder: LabFolder) -> None:
    keys = Keys.of_lab("verona")
    with redis_py.Redis.from_url(folder.secrets()["montague.lit"]) as client:
        client.hset(keys.accounts("montague.lit"), "romeo", "1")
        with pytest.raises(redis_py.exceptions.NoPermissionError):
            client.hset(keys.accounts("capulet.lit"), "juliet", "1")
        with pytest.raises(redis_py.exceptions.NoPermissionError):
            client.execute_command("ACL LIST")


def test_it_ends_when_whoever_started_it_is_gone(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(PATIENCE_S) == 0


def test_data_outlive_it(folder: LabFolder, process: subprocess.Popen[bytes]) -> None:
    with redis_py.Redis.from_url(folder.secrets()[ADMIN]) as client:
        client.set("key", "value")
    process.terminate()
    process.wait(PATIENCE_S)
    redis.configure(folder, make_plan(folder.path))
    with subprocess.Popen(redis.command(folder), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as again:
        assert wait_until(lambda: answers(folder.secrets()[ADMIN]), PATIENCE_S)
        with redis_py.Redis.from_url(folder.secrets()[ADMIN]) as client:
            assert client.get("key") == b"value"
        again.terminate()


def test_garbage_at_the_end_of_its_file_is_cut_off_at_its_next_start(
    folder: LabFolder, process: subprocess.Popen[bytes]
) -> None:
    with redis_py.Redis.from_url(folder.secrets()[ADMIN]) as client:
        client.set("key", "value")
    process.kill()
    process.wait(PATIENCE_S)
    [file] = folder.redis_data.glob("*/*.incr.aof")
    with file.open("ab") as end:
        end.write(b"\0garbage\r\n" * 100)

    def start() -> subprocess.Popen[bytes]:
        with folder.log("redis").open("ab") as log:  # as the supervisor keeps what it says
            return subprocess.Popen(redis.command(folder), stdin=subprocess.PIPE, stdout=log)

    with start() as refusing:
        assert refusing.wait(PATIENCE_S) == 1
    with start() as again:
        assert wait_until(lambda: answers(folder.secrets()[ADMIN]), PATIENCE_S)
        with redis_py.Redis.from_url(folder.secrets()[ADMIN]) as client:
            assert client.get("key") == b"value"
        again.terminate()
    [kept] = file.parent.glob("*.cut-off-1")
    assert str(kept) in folder.log("redis").read_text()


@pytest.fixture
def slow_disk(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Whoever asks for the end of a write has to wait three seconds."""
    if shutil.which("strace") is None:
        pytest.skip("strace, which slows the disk down, is not installed")
    command = ["strace", "-f", "-p", str(process.pid), "-o", "/dev/null", "-e", "trace=fdatasync,fsync"]
    command += ["-e", "inject=fdatasync,fsync:delay_enter=3000000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        if "attached" not in tracer.stderr.readline():
            pytest.skip("strace may not trace here")
        yield
        tracer.terminate()


@pytest.mark.usefixtures("slow_disk")
def test_what_it_has_acknowledged_outlives_sigkill_also_on_a_slow_disk(
    folder: LabFolder, process: subprocess.Popen[bytes]
) -> None:
    begun_s = time.monotonic()
    with redis_py.Redis.from_url(folder.secrets()[ADMIN]) as client:
        while time.monotonic() - begun_s < 2.0:  # long enough for an fsync that is asked for each second
            client.incr("key")
        acknowledged = client.incr("key")
        process.kill()
        process.wait(PATIENCE_S)
    with subprocess.Popen(redis.command(folder), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as again:
        assert wait_until(lambda: answers(folder.secrets()[ADMIN]), PATIENCE_S)
        with redis_py.Redis.from_url(folder.secrets()[ADMIN]) as client:
            assert int(client.get("key")) == acknowledged
        again.terminate()


def existing(valkey: Valkey, keys: Keys, folder: LabFolder) -> Plan:
    """A lab of this test in the Valkey of the tests."""
    return make_plan(folder.path, name=keys.prefix.removeprefix("xmpplab:"), redis_url=valkey.url)


def test_moving_in_and_out_of_an_existing_redis(valkey: Valkey, keys: Keys, folder: LabFolder) -> None:
    plan = existing(valkey, keys, folder)
    redis.move_in(folder, plan)
    with redis_py.Redis.from_url(folder.secrets()["montague.lit"]) as client:
        client.hset(keys.accounts("montague.lit"), "romeo", "1")
    redis.move_out(plan, keep_data=True)
    assert not any(user.startswith(keys.prefix) for user in valkey.admin.acl_users())
    assert valkey.admin.hget(keys.accounts("montague.lit"), "romeo") == b"1"
    redis.move_out(plan, keep_data=False)
    assert list(valkey.admin.scan_iter(f"{keys.prefix}:*")) == []


def test_two_labs_of_one_name_do_not_share_a_redis(valkey: Valkey, keys: Keys, folder: LabFolder) -> None:
    plan = existing(valkey, keys, folder)
    redis.move_in(folder, plan)
    other = make_plan(folder.path / "other", name=plan.name, redis_url=valkey.url)
    with pytest.raises(LabError, match="has another lab"):
        redis.move_in(folder, other)
    redis.move_out(other, keep_data=False)
    assert f"{keys.prefix}:montague.lit" in valkey.admin.acl_users()
    redis.move_in(folder, plan)


def test_an_existing_redis_that_gives_no_rights(valkey: Valkey, keys: Keys, folder: LabFolder) -> None:
    valkey.admin.acl_setuser(
        f"{keys.prefix}:guest", enabled=True, passwords=["+secret"], commands=["+set", "+get"], keys=["*"]
    )
    url = valkey.url_of(f"{keys.prefix}:guest".replace(":", "%3A"), "secret")
    plan = make_plan(folder.path, name=keys.prefix.removeprefix("xmpplab:"), redis_url=url)
    with pytest.raises(LabError, match="ACL SETUSER"):
        redis.move_in(folder, plan)


def test_no_redis_there(folder: LabFolder) -> None:
    plan = make_plan(folder.path, redis_url=f"unix://{folder.path}/nobody.sock")
    with pytest.raises(LabError, match="check that it is running"):
        redis.move_in(folder, plan)
