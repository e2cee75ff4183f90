"""The lab's message centre and the SMS gateway against programs that are not ours.

As ESMEs: smpplib and Debian's Kannel. As a message centre: node-smpp.
"""

from __future__ import annotations

import json
import queue
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import urlopen

import pytest
import smpplib.client
import smpplib.consts
import smpplib.exceptions
import smpplib.gsm
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint

from cluster.gateways.delivery_receipts import RECEIPTS
from cluster.gateways.sms.esme import Login
from cluster.gateways.sms.gateway import SmsGateway
from cluster.gateways.sms.store import memory_sms_store
from cluster.gateways.smsc.smsc import Smsc
from cluster.trace.hop import Hop, Tracer
from cluster.xmpp.element import Element
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.stanza import Stanza, make
from tests.harness import PATIENCE_S, ReactorThread, until
from tests.helpers import ids
from tests.unit.gateways.sms.world import (
    FC1,
    GATEWAY,
    NOBODY,
    PASSWORD,
    PHONE,
    ROMEO,
    SETTINGS,
    SHORT_CODE,
    START_UTC_S,
)

pytestmark = pytest.mark.live
BEARERBOX, SMSBOX = shutil.which("bearerbox"), shutil.which("smsbox")
NODE, NODE_MODULES = shutil.which("node"), Path(sys.prefix) / "lib" / "node_modules"
needs_kannel = pytest.mark.skipif(not (BEARERBOX and SMSBOX), reason="needs Kannel: apt-get install kannel")
needs_node_smpp = pytest.mark.skipif(
    not (NODE and (NODE_MODULES / "smpp").exists()),
    reason=f"needs node-smpp: npm install --global --prefix {sys.prefix} smpp@0.5.1",
)
LONG = "Two households, both alike in dignity, in fair Verona, where we lay our scene, " * 4 + "🌹"


class Hops:
    """A `Journal`."""

    def append(self, hop: Hop) -> None: ...


class Centre:
    """The lab's message centre on a port of its own, and what its operator asks."""

    def __init__(self, thread: ReactorThread) -> None:
        self._thread = thread
        self._smsc = Smsc(
            thread.reactor, SETTINGS, None, Hops(),
            now_utc_s=lambda: START_UTC_S + thread.reactor.seconds(), new_id=ids(), jitter=lambda: 0.5,
        )  # fmt: skip
        port = thread.run(lambda: self._smsc.start(TCP4ServerEndpoint(thread.reactor, 0, interface="127.0.0.1")))
        self.port = port.getHost().port

    def ask(self, verb: str, *arguments: Any, **named: Any) -> Any:
        return self._thread.run(lambda: getattr(self._smsc.administration, verb)(*arguments, **named))

    def inbox(self) -> list[str]:
        return [text["text"] for text in self.ask("phone_inbox", PHONE)]

    def until(self, condition: Callable[[], object]) -> None:
        """`condition` is called in the reactor's thread."""
        self._thread.run(lambda: until(self._thread.reactor, condition))

    def until_inbox(self, *texts: str) -> None:
        phone = self._smsc.administration._phone(PHONE)
        self.until(lambda: len(phone.inbox(0)) >= len(texts))
        assert self.inbox() == list(texts)

    def until_bound(self) -> None:
        self.until(lambda: self._smsc.administration._esmes.bound)

    def stop(self) -> None:
        self._thread.run(self._smsc.stop)


@pytest.fixture
def centre(reactor_thread: ReactorThread) -> Iterator[Centre]:
    centre = Centre(reactor_thread)
    yield centre
    centre.stop()


# --- smpplib


class SmppLib:
    """smpplib's client: an ESME that is not ours."""

    def __init__(self, port: int) -> None:
        self.client = smpplib.client.Client("127.0.0.1", port, timeout=10, allow_unknown_opt_params=True)
        self.sent: list[Any] = []
        self.received: list[Any] = []
        self.client.set_message_sent_handler(lambda pdu: self.sent.append(pdu))
        self.client.set_message_received_handler(lambda pdu: self.received.append(pdu))
        self.client.connect()

    def bind(self, password: str = PASSWORD) -> SmppLib:
        self.client.bind_transceiver(system_id="g1", password=password)
        return self

    def send(self, text: str, to: str = PHONE, registered_delivery: bool = False) -> None:
        parts, data_coding, esm_class = smpplib.gsm.make_parts(text)
        for part in parts:
            self.client.send_message(
                source_addr_ton=0, source_addr=SHORT_CODE, dest_addr_ton=1, dest_addr_npi=1,
                destination_addr=to.removeprefix("+"), short_message=part, data_coding=data_coding,
                esm_class=esm_class, registered_delivery=registered_delivery,
            )  # fmt: skip

    def read(self, sent: int = 0, received: int = 0) -> None:
        """Read until there are so many responses and messages."""
        for _ in range(100):
            if len(self.sent) >= sent and len(self.received) >= received:
                return
            self.client.read_once()
        raise AssertionError("something else came a hundred times")

    def close(self) -> None:
        self.client.unbind()
        self.client.disconnect()


@pytest.fixture
def smpp_lib(centre: Centre) -> Iterator[SmppLib]:
    esme = SmppLib(centre.port).bind()
    yield esme
    esme.close()


@pytest.mark.parametrize("text", ["But soft! €", "Любовь 🌹", LONG])
def test_smpplib_sends_and_is_told_of_the_delivery(centre: Centre, smpp_lib: SmppLib, text: str) -> None:
    parts = len(smpplib.gsm.make_parts(text)[0])
    smpp_lib.send(text, registered_delivery=True)
    smpp_lib.read(sent=parts, received=parts)
    centre.until_inbox(text)
    receipted = [pdu.receipted_message_id for pdu in smpp_lib.received]
    assert receipted == [pdu.message_id for pdu in smpp_lib.sent]
    assert {pdu.message_state for pdu in smpp_lib.received} == {smpplib.consts.SMPP_MESSAGE_STATE_DELIVERED}
    assert b"stat:DELIVRD" in smpp_lib.received[0].short_message


def test_smpplib_is_told_of_a_number_that_nobody_has(smpp_lib: SmppLib) -> None:
    smpp_lib.send("hi", NOBODY, registered_delivery=True)
    smpp_lib.read(received=1)
    assert b"stat:UNDELIV err:001" in smpp_lib.received[0].short_message


def test_smpplib_gets_what_a_phone_says(centre: Centre, smpp_lib: SmppLib) -> None:
    centre.ask("phone_send", PHONE, SHORT_CODE, "Here.")
    smpp_lib.read(received=1)
    (pdu,) = smpp_lib.received
    assert pdu.source_addr == PHONE.removeprefix("+").encode()
    assert (pdu.destination_addr, pdu.short_message) == (SHORT_CODE.encode(), b"Here.")


def test_smpplib_is_throttled(centre: Centre, smpp_lib: SmppLib) -> None:
    centre.ask("fault_set", max_per_s=1.0)
    errors: list[Any] = []
    smpp_lib.client.set_error_pdu_handler(errors.append)
    for _ in range(3):
        smpp_lib.send("hi")
    smpp_lib.read(sent=3)  # it calls this handler for errors too
    assert {pdu.status for pdu in errors} == {smpplib.consts.SMPP_ESME_RTHROTTLED}


def test_smpplib_may_not_bind_with_a_wrong_password(centre: Centre) -> None:
    esme = SmppLib(centre.port)
    with pytest.raises(smpplib.exceptions.PDUError) as caught:
        esme.bind("wrong")
    esme.client.disconnect()
    assert caught.value.args[1] == smpplib.consts.SMPP_ESME_RINVPASWD


# --- Kannel


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago: Kannel cannot choose its own."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


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
        for program, log in ((BEARERBOX, "bearerbox.log"), (SMSBOX, "smsbox.log")):
            assert program
            process = subprocess.Popen(
                [program, "-v", "4", str(file)], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            self._processes.append(process)
            _until(lambda port=box if program is BEARERBOX else self._web: _listens(port), folder / log)

    def send(self, text: str, reports: Reports) -> str:
        """Send a text to the phone; what the web interface says."""
        told = f"http://127.0.0.1:{reports.port}/?status=%d&text=%A"
        query = {
            "username": "lab", "password": "lab", "from": SHORT_CODE, "to": PHONE, "text": text, "charset": "UTF-8",
            "coding": "0" if text.isascii() else "2", "dlr-mask": "19", "dlr-url": told,
        }  # fmt: skip
        with urlopen(f"http://127.0.0.1:{self._web}/cgi-bin/sendsms?{urlencode(query)}", timeout=10) as answer:
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


# --- node-smpp, as a message centre


class NodeSmpp:
    """The other side, with a gateway of ours in front of it."""

    def __init__(self, thread: ReactorThread, password: str) -> None:
        self._thread = thread
        assert NODE
        self._process = subprocess.Popen(
            [NODE, str(Path(__file__).with_name("smpp_server.js")), PASSWORD],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"NODE_PATH": str(NODE_MODULES)},
        )  # fmt: skip
        self._said: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        port = self.read()["port"]
        self.sent: list[Stanza] = []
        self._gateway = SmsGateway(
            thread.reactor, GATEWAY, TCP4ClientEndpoint(thread.reactor, "127.0.0.1", port), Login("g1", password),
            memory_sms_store(), self.sent.append, Tracer("g1", Hops(), lambda: 0, ids(), 0),
            now_utc_s=lambda: START_UTC_S + thread.reactor.seconds(), new_id=ids(), jitter=lambda: 0.5,
        )  # fmt: skip
        thread.run(self._gateway.start)

    def read(self) -> dict[str, Any]:
        """The next thing that the message centre says."""
        return dict(json.loads(self._said.get(timeout=PATIENCE_S)))

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._said.put(line)

    def say(self, text: str) -> None:
        body = Element(f"{{{CLIENT}}}body")
        body.text = text
        payload = [body, Element(f"{{{RECEIPTS}}}request")]
        message = make("message", to=FC1, from_=ROMEO, id=text[:10], type="chat", payload=payload)
        self._thread.run(lambda: self._gateway.on_message(message))

    def until_sent(self, count: int) -> list[Stanza]:
        self._thread.run(lambda: until(self._thread.reactor, lambda: len(self.sent) >= count))
        return self.sent

    def stop_gateway(self) -> None:
        self._thread.run(self._gateway.stop)

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        assert self._process.wait(PATIENCE_S) == 0
        self._reader.join()
        self._process.stdout.close()


@pytest.fixture
def node_smpp(reactor_thread: ReactorThread) -> Iterator[NodeSmpp]:
    node = NodeSmpp(reactor_thread, PASSWORD)
    yield node
    node.close()


@needs_node_smpp
def test_the_gateway_at_node_smpp(node_smpp: NodeSmpp) -> None:
    assert node_smpp.read() == {"bind": "g1", "status": 0}
    node_smpp.say("echo Here. €")  # throttled at first
    seen = node_smpp.read()
    assert (seen["text"], seen["data_coding"]) == ("echo Here. €", 0)
    assert (seen["source_addr"], seen["destination_addr"]) == (SHORT_CODE, PHONE.removeprefix("+"))
    assert seen["dest_addr_ton"] == 1
    receipt, answer = node_smpp.until_sent(2)
    assert receipt.tree.find(f"{{{RECEIPTS}}}received").get("id") == "echo Here."  # type: ignore[union-attr]
    assert answer.tree.findtext(f"{{{CLIENT}}}body") == "Here. €"
    assert (answer.from_, answer.to) == (FC1, ROMEO.bare)
    node_smpp.sent.clear()

    node_smpp.say(LONG)
    parts = [node_smpp.read() for _ in range(5)]
    assert "".join(part["text"] for part in parts) == LONG
    assert {(part["data_coding"], part["esm_class"]) for part in parts} == {(8, 0x40)}
    assert [part["udh"][0][-4:] for part in parts] == [f"05{number:02}" for number in range(1, 6)]
    node_smpp.until_sent(1)
    node_smpp.stop_gateway()
    assert node_smpp.read() == {"unbind": True}


@needs_node_smpp
def test_the_gateway_with_a_wrong_password_at_node_smpp(reactor_thread: ReactorThread) -> None:
    node = NodeSmpp(reactor_thread, "wrong")
    assert node.read() == {"bind": "g1", "status": smpplib.consts.SMPP_ESME_RINVPASWD}
    node.stop_gateway()
    node.close()
