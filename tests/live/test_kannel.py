"""The lab's message centre, and Debian's Kannel as an ESME that is not ours."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import urlopen

import pytest

from loadtests.bench.ports import free_ports
from tests.harness import PATIENCE_S
from tests.live.message_centre import LONG, Centre
from tests.unit.gateways.sms.world import PASSWORD, PHONE, SHORT_CODE

pytestmark = pytest.mark.live
BEARERBOX, SMSBOX = shutil.which("bearerbox"), shutil.which("smsbox")
needs_kannel = pytest.mark.skipif(not (BEARERBOX and SMSBOX), reason="needs Kannel: apt-get install kannel")


class Reports:
    """The web server to which Kannel tells of deliveries."""

    def __init__(self) -> None:
        self.seen: list[dict[str, list[str]]] = []
        reports = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                reports.seen.append(parse_qs(urlsplit(self.path).query))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None: ...

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Kannel:
    """bearerbox, which is the ESME, and smsbox, which has the web interface."""

    def __init__(self, folder: Path, smsc_port: int) -> None:
        admin, box, self._web, unused = free_ports(4)
        file = folder / "kannel.conf"
        file.write_text(f"""
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = pw
smsbox-port = {box}
smsbox-interface = 127.0.0.1
box-allow-ip = "127.0.0.1"
dlr-storage = internal
log-file = {folder}/bearerbox.log
log-level = 1

group = smsc
smsc = smpp
smsc-id = lab
host = 127.0.0.1
port = {smsc_port}
transceiver-mode = true
smsc-username = g1
smsc-password = {PASSWORD}
system-type = ""
source-addr-autodetect = true
dest-addr-ton = 1
dest-addr-npi = 1
msg-id-type = 0x00

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {box}
sendsms-port = {self._web}
sendsms-interface = 127.0.0.1
log-file = {folder}/smsbox.log
log-level = 1
http-request-retry = 1

group = sendsms-user
username = lab
password = lab
max-messages = 10
concatenation = true

group = sms-service
keyword = default
max-messages = 1
text = "Kannel heard: %a"
""")
        del unused
        self._processes = []
        for program in (BEARERBOX, SMSBOX):
            assert program
            process = subprocess.Popen(
                [program, "-v", "4", str(file)], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            self._processes.append(process)
            if program is BEARERBOX:
                _until(lambda: _listens(box), folder / "bearerbox.log")
        # smsbox opens its port before it has made what requests need: one that comes too early ends it by a signal
        written = folder / "smsbox.log"
        _until(lambda: written.exists() and "Connected to bearerbox" in written.read_text(), written)

    def send(self, text: str, reports: Reports) -> str:
        """Send a text to the phone; what the web interface says."""
        told = f"http://127.0.0.1:{reports.port}/?status=%d&text=%A"
        query = {
            "username": "lab", "password": "lab", "from": SHORT_CODE, "to": PHONE, "text": text, "charset": "UTF-8",
            "coding": "0" if text.isascii() else "2", "dlr-mask": "19", "dlr-url": told,
        }  # fmt: skip
        with urlopen(f"http://127.0.0.1:{self._web}/cgi-bin/sendsms?{urlencode(query)}", timeout=PATIENCE_S) as answer:
            return str(answer.read().decode())

    def close(self) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionRefusedError:
        return False
    return True


def _until(condition: Callable[[], object], told_by: Path | None = None) -> None:
    pause = threading.Event()
    for _ in range(6000):  # only a failing test waits so long
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError(told_by.read_text() if told_by and told_by.exists() else "it never came")


@pytest.fixture
def reports() -> Iterator[Reports]:
    reports = Reports()
    yield reports
    reports.close()


@pytest.fixture
def kannel(centre: Centre, tmp_path: Path) -> Iterator[Kannel]:
    kannel = Kannel(tmp_path, centre.port)
    centre.until_bound()
    yield kannel
    kannel.close()


@needs_kannel
def test_kannel_sends_and_is_told_of_the_delivery(centre: Centre, kannel: Kannel, reports: Reports) -> None:
    texts = ["But soft!", "Любовь", LONG]
    for number, text in enumerate(texts, 1):
        assert "Accepted" in kannel.send(text, reports)
        centre.until_inbox(*texts[:number])
    _until(lambda: len(reports.seen) >= 3)
    assert {report["status"][0] for report in reports.seen} == {"1"}  # delivered to the phone
    assert "stat:DELIVRD" in reports.seen[0]["text"][0]


@needs_kannel
def test_kannel_gets_what_a_phone_says_and_answers(centre: Centre, kannel: Kannel) -> None:
    centre.ask("phone_send", PHONE, SHORT_CODE, "Wherefore art thou?")
    centre.until_inbox("Kannel heard: Wherefore+art+thou%3F")  # it writes parameters as in a URL


@needs_kannel
def test_kannel_comes_again_when_it_is_throttled(centre: Centre, kannel: Kannel, reports: Reports) -> None:
    centre.ask("fault_set", max_per_s=1.0)
    for number in range(3):
        kannel.send(str(number), reports)
    _until(lambda: len(reports.seen) >= 1)
    centre.ask("fault_clear")
    phone_has = centre.inbox
    _until(lambda: sorted(phone_has()) == ["0", "1", "2"])
