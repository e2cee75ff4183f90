"""Debian's exim4 as the mail host of abbey.example, in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType

PROGRAM = "/usr/sbin/exim4"
USER = "Debian-exim"
"""Whom Debian's exim becomes; it can only as root."""

_CONFIGURATION = """
primary_hostname = mx.abbey.example
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
deliver_drop_privilege = true
keep_environment =
add_environment =
host_lookup =
rfc1413_query_timeout = 0s
log_selector = +smtp_no_mail
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
acl_smtp_rcpt = check_recipient
{tls}

begin acl
check_recipient:
  defer message = 4.7.1 greylisted
        local_parts = grey
        condition = ${{if !exists{{{folder}/ripe}}}}
  accept domains = abbey.example
         local_parts = friar : grey
  deny message = 5.1.1 there is no such monk
       domains = abbey.example
  accept domains = late.example : montague.lit : mail.montague.lit
  accept domains = far.example
         authenticated = *
  deny message = 5.7.1 relaying denied

begin routers
xmpp:
  driver = manualroute
  domains = montague.lit : mail.montague.lit
  transport = to_gateway
  route_list = * 127.0.0.1 byname
  self = send
late:
  driver = redirect
  domains = late.example
  allow_fail
  data = :fail: the monk has left the order
here:
  driver = accept
  transport = box

begin transports
to_gateway:
  driver = smtp
  port = {gateway_port}
  hosts_avoid_tls = *
box:
  driver = appendfile
  directory = {folder}/mail
  maildir_format
  return_path_add
  user = {user}

begin retry
* * F,1h,1m

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and {{{{eq{{$auth2}}{{gateway}}}}{{eq{{$auth3}}{{hush}}}}}}}}
  server_set_id = $auth2
"""
_TLS = """
tls_advertise_hosts = *
tls_certificate = {folder}/certificate.pem
tls_privatekey = {folder}/key.pem
auth_advertise_hosts = ${{if def:tls_in_cipher {{*}}}}
"""


def missing() -> str:
    """Why the tests with exim cannot run; empty where they can."""
    if not Path(PROGRAM).exists():
        return "needs exim: apt-get install exim4-daemon-light"
    return "" if os.geteuid() == 0 else f"needs root, so that exim can become {USER}"


class Exim:
    """One daemon, which listens on a socket that was made for it. As a context manager it ends with the block."""

    def __init__(self, gateway_port: int, certificate: bytes = b"", key: bytes = b"") -> None:
        """`gateway_port`: where it brings mail for montague.lit; with a certificate, it has STARTTLS and AUTH."""
        self._folder = Path(tempfile.mkdtemp(prefix="exim-"))
        user = pwd.getpwnam(USER)
        for name in ("spool", "log", "mail"):
            (self._folder / name).mkdir()
        (self._folder / "certificate.pem").write_bytes(certificate)
        (self._folder / "key.pem").write_bytes(key)
        tls = _TLS.format(folder=self._folder) if certificate else "tls_advertise_hosts ="
        (self._folder / "configuration").write_text(
            _CONFIGURATION.format(folder=self._folder, gateway_port=gateway_port, user=USER, tls=tls)
        )
        for path in (self._folder, *self._folder.iterdir()):
            os.chown(path, user.pw_uid, user.pw_gid)
        self._folder.chmod(0o755)
        (self._folder / "configuration").chmod(0o644)
        os.chown(self._folder / "configuration", 0, 0)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port: int = listener.getsockname()[1]
            command = [PROGRAM, "-C", str(self._folder / "configuration"), "-bw", "-odf"]
            self._process = subprocess.Popen(
                command, stdin=listener.fileno(), stdout=subprocess.DEVNULL, start_new_session=True
            )

    def ripen(self) -> None:
        """From now on, the mailbox `grey` takes mail."""
        (self._folder / "ripe").touch()

    def mails(self) -> list[EmailMessage]:
        """What is in the mailbox."""
        files = (self._folder / "mail" / "new").glob("*")
        found = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
        return [mail for mail in found if isinstance(mail, EmailMessage)]

    def log(self) -> str:
        """What it tells of its work."""
        return "".join(file.read_text() for file in sorted((self._folder / "log").iterdir()))

    def close(self) -> None:
        """End it, and the processes that it has begun: each delivery is one."""
        self._process.terminate()
        self._process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        while self._folder.exists():  # one of them may just have made a file
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Exim:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
