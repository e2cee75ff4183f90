"""Tsung, Debian's load generator for XMPP: the scenario that `chat` is, in its configuration."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from loadtests.bench.pair import Server
from loadtests.bench.ports import free_ports

MISSING = "" if shutil.which("tsung") else "tsung is not installed (apt-get install tsung)"
_ARRIVALS_S = 600
"""Longer than all users take to arrive, and than they write."""
_CONFIGURATION = """\
<?xml version="1.0"?>
<!DOCTYPE tsung SYSTEM "/usr/share/tsung/tsung-1.0.dtd" []>
<tsung loglevel="warning" version="1.0">
  <clients><client host="localhost" maxusers="60000" use_controller_vm="true"/></clients>
  <servers><server host="{host}" port="{port}" type="tcp"/></servers>
  <load>
    <arrivalphase phase="1" duration="{arrivals_s}" unit="second">
      <users maxnumber="{users}" arrivalrate="{per_s}" unit="second"/>
    </arrivalphase>
  </load>
  <options>
    <option type="ts_jabber" name="domain" value="{domain}"/>
    <option type="ts_jabber" name="userid_max" value="0"/>
    <option type="ts_jabber" name="random_from_fileid" value="users"/>
    <option type="ts_jabber" name="offline_from_fileid" value="users"/>
    <option type="ts_jabber" name="fileid_delimiter" value=","/>
    <option name="file_server" id="users" value="{accounts}"/>
  </options>
  <sessions>
    <session bidi="true" probability="100" name="chat" type="ts_jabber">
      <setdynvars sourcetype="file" fileid="users" delimiter="," order="iter">
        <var name="u"/><var name="p"/>
      </setdynvars>
      <request subst="true">
        <jabber type="connect" ack="local"><xmpp_authenticate username="%%_u%%" passwd="%%_p%%"/></jabber>
      </request>
      <request><jabber type="starttls" ack="bidi_ack"/></request>
      <request><jabber type="connect" ack="local"/></request>
      <request><jabber type="auth_sasl" ack="local"/></request>
      <request><jabber type="connect" ack="local"/></request>
      <request><jabber type="auth_sasl_bind" ack="local"/></request>
      <request><jabber type="presence:initial" ack="no_ack"/></request>
      <for from="1" to="1000000" var="n">
        <thinktime value="{every_s}" random="false"/>
        <request><jabber type="chat" ack="no_ack" size="{size}" destination="online"/></request>
      </for>
    </session>
  </sessions>
</tsung>
"""


@contextmanager
def tsung(
    folder: Path, server: Server, accounts: list[str], per_s: int, rate: float, size: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Running, with a user for each of the accounts; `per_s` of them arrive in a second, and each writes `rate`
    messages per second with a body of `size` bytes."""
    csv, log = folder / "accounts.csv", folder / "tsung.xml"
    csv.write_text("".join(f"{each},secret\n" for each in accounts))
    log.write_text(
        _CONFIGURATION.format(
            host=server.host, port=server.port, domain=server.domain, arrivals_s=_ARRIVALS_S, users=len(accounts),
            per_s=per_s, accounts=csv, every_s=f"{1 / rate:.4f}", size=size,
        )
    )  # fmt: skip
    [port] = map(str, free_ports(1))  # of Erlang's own name service, which would outlive it
    environment = {
        **os.environ, "HOME": str(folder), "ERL_EPMD_PORT": port, "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_RELAXED_COMMAND_CHECK": "1",  # it ends also while it knows the node, which was killed just now
    }  # fmt: skip
    started = subprocess.Popen(
        ["tsung", "-f", str(log), "-l", str(folder / "log"), "-i", f"bench{port}", "start"],
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, process_group=0,
    )  # fmt: skip
    try:
        yield started
    finally:
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()
        subprocess.run(["epmd", "-kill"], env=environment, stdout=subprocess.DEVNULL, check=False)
