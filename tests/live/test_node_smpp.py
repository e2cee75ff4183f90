"""The SMS gateway at node-smpp, a message centre that is not ours."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import smpplib.consts
from twisted.internet.endpoints import TCP4ClientEndpoint

from cluster.gateways.delivery_receipts import RECEIPTS
from cluster.gateways.sms.esme import Login
from cluster.gateways.sms.gateway import SmsGateway
from cluster.gateways.sms.store import memory_sms_store
from cluster.xmpp.element import Element
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.stanza import Stanza, make
from tests.harness import PATIENCE_S, ReactorThread, until
from tests.helpers import ids, memory_tracer
from tests.live.message_centre import LONG
from tests.unit.gateways.sms.world import FC1, GATEWAY, PASSWORD, PHONE, ROMEO, SHORT_CODE, START_UTC_S

pytestmark = pytest.mark.live
NODE, NODE_MODULES = shutil.which("node"), Path(sys.prefix) / "lib" / "node_modules"
needs_node_smpp = pytest.mark.skipif(
    not (NODE and (NODE_MODULES / "smpp").exists()),
    reason=f"needs node-smpp: npm install --global --prefix {sys.prefix} smpp@0.5.1",
)


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
            memory_sms_store(), self.sent.append, memory_tracer("g1", thread.reactor),
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
    assert receipt.tree.find(f"{{{RECEIPTS}}}received").get("id") == "echo Here."
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
def test_what_other_message_centres_say(node_smpp: NodeSmpp) -> None:
    """Message classes, SAR parameters, reports that are no messages, and a receipt that names its id in decimal."""
    node_smpp.say("odd")
    *texts, receipt = node_smpp.until_sent(4)
    assert [text.tree.findtext(f"{{{CLIENT}}}body") for text in texts] == ["@ hi", "жя", "hello world"]
    assert receipt.tree.find(f"{{{RECEIPTS}}}received").get("id") == "odd"
    node_smpp.stop_gateway()


@needs_node_smpp
def test_the_gateway_with_a_wrong_password_at_node_smpp(reactor_thread: ReactorThread) -> None:
    node = NodeSmpp(reactor_thread, "wrong")
    assert node.read() == {"bind": "g1", "status": smpplib.consts.SMPP_ESME_RINVPASWD}
    node.stop_gateway()
    node.close()
