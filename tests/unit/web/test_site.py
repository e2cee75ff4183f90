"""The HTTP side of the page, over a real connection, with a lab whose driver runs nothing."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.lab.api import Lab
from cluster.lab.folder import LabFolder
from cluster.lab.timeline.rows import NodeRow, Row, encoded
from cluster.lab.tracing import kept
from cluster.trace.hop import Event, Hop
from cluster.web import site
from cluster.web.guard import HEADERS, TOKEN_HEADER
from cluster.web.site import Page
from tests.harness import PATIENCE_S, ReactorThread
from tests.unit.lab.plan import make_plan
from tests.unit.lab.test_api import Pretended
from tests.unit.web.served import served

TOKEN = "the-token"


class Browser:
    """Requests to the page."""

    def __init__(self, port: int, driver: Pretended, page: Page) -> None:
        self.port = port
        self.driver = driver
        self.page = page

    def get(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        connection.close()
        return found

    def ask(self, token: str = TOKEN, **request: Any) -> tuple[int, Any]:
        body = json.dumps(request).encode()
        code, headers, found = self.get(
            "POST", "/ask", body, content_type="application/json", **{TOKEN_HEADER.replace("-", "_"): token}
        )
        assert headers["content-type"] == "application/json"
        return code, json.loads(found)

    def events(self) -> Iterator[dict[str, Any]]:
        """The stream of events, read by hand: it has no end."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_S) as connection:
            head = f"GET /events HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\n{TOKEN_HEADER}: {TOKEN}\r\n\r\n"
            connection.sendall(head.encode())
            for line in connection.makefile("rb"):
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])


@pytest.fixture
def browser(tmp_path: Path, reactor_thread: ReactorThread) -> Iterator[Browser]:
    driver = Pretended(LabFolder(tmp_path / "verona"))
    lab = Lab(LabFolder(tmp_path / "verona"), driver)
    lab.up([make_plan(lab.path)])
    with served(lab, reactor_thread, TOKEN) as (port, page):
        yield Browser(port, driver, page)


def test_the_files_of_the_page_need_no_token_and_have_no_secret(browser: Browser) -> None:
    for path, type in (("/", "text/html"), ("/app.js", "text/javascript"), ("/style.css", "text/css")):
        code, headers, content = browser.get("GET", path)
        assert (code, headers["content-type"].partition(";")[0]) == (200, type)
        assert {name: headers[name] for name in HEADERS} == HEADERS
        assert TOKEN.encode() not in content
        assert b"http://" not in content.replace(b"http://www.w3.org", b"")  # nothing of elsewhere
        assert b"https://" not in content


def test_nothing_else_is_there(browser: Browser) -> None:
    assert browser.get("GET", "/plan.json")[0] == 404
    assert browser.get("GET", "/../__init__.py")[0] == 404
    assert browser.get("PUT", "/ask")[0] in (401, 405)


def test_the_lab_is_told_to_nobody_without_the_token(browser: Browser) -> None:
    assert browser.ask("another", do="act", node="s1", action="pause")[0] == 401
    assert browser.get("GET", "/events")[0] == 401
    assert [node.state for node in browser.driver.nodes] == ["running", "running"]


def test_a_page_of_another_site_can_do_nothing(browser: Browser) -> None:
    good = {"content_type": "application/json", TOKEN_HEADER.replace("-", "_"): TOKEN}
    body = json.dumps({"do": "act", "node": "s1", "action": "pause"}).encode()
    assert browser.get("POST", "/ask", body, **good, origin="http://evil.example")[0] == 403
    assert browser.get("POST", "/ask", body, **good, host=f"evil.example:{browser.port}")[0] == 421
    assert browser.get("GET", "/", host="evil.example")[0] == 421
    assert browser.get("POST", "/ask", body, **{**good, "content_type": "text/plain"})[0] == 415
    assert [node.state for node in browser.driver.nodes] == ["running", "running"]


@pytest.mark.parametrize(
    ("header", "code"), [("host", 421), ("origin", 403), (TOKEN_HEADER, 401), ("content-type", 415)]
)
def test_a_header_that_is_no_text_is_refused(browser: Browser, header: str, code: int) -> None:
    """RFC 9110 section 5.5: octets beyond US-ASCII are opaque."""
    good = {"host": f"127.0.0.1:{browser.port}", TOKEN_HEADER: TOKEN, "content-type": "application/json"}
    given = "".join(f"{name}: {value}\r\n" for name, value in {**good, header: "\xff"}.items())
    with socket.create_connection(("127.0.0.1", browser.port), PATIENCE_S) as connection:
        connection.sendall(f"POST /ask HTTP/1.1\r\n{given}content-length: 0\r\n\r\n".encode("latin-1"))
        assert connection.recv(1000).startswith(f"HTTP/1.1 {code} ".encode())


def test_an_action_and_the_command_that_does_the_same(browser: Browser) -> None:
    code, found = browser.ask(do="act", node="s1", action="pause")
    assert (code, found) == (200, {"answer": [], "command": "xmpplab pause s1 --lab verona"})
    assert browser.driver.nodes[0].state == "paused"


def test_what_cannot_be_done_is_told_in_words(browser: Browser) -> None:
    code, found = browser.ask(do="act", node="s9", action="pause")
    assert (code, found["error"]) == (200, "no node 's9' in this lab (nodes: s1, s2)")
    code, found = browser.ask(do="act", node="s1", action="resume")
    assert (code, found["error"]) == (200, "cannot resume s1: it is running, not paused")
    code, found = browser.ask(do="dance")
    assert (code, found["error"].startswith("not a request of the page")) == (400, True)
    assert browser.ask(do="chat_say", pane=7, to="romeo@montague.lit", text="x")[1]["error"].startswith("no pane 7")


def test_a_body_is_bounded(browser: Browser) -> None:
    with socket.create_connection(("127.0.0.1", browser.port), PATIENCE_S) as connection:
        head = (
            f"POST /ask HTTP/1.1\r\nhost: 127.0.0.1:{browser.port}\r\ncontent-length: {site.MAX_BODY_BYTES + 1}\r\n\r\n"
        )
        connection.sendall(head.encode())
        assert b" 413 " in connection.recv(1000)
    with socket.create_connection(("127.0.0.1", browser.port), PATIENCE_S) as connection:
        head = f"POST /ask HTTP/1.1\r\nhost: 127.0.0.1:{browser.port}\r\ntransfer-encoding: chunked\r\n\r\n"
        connection.sendall(head.encode())
        assert b" 413 " in connection.recv(1000)


def test_a_page_is_told_the_state_and_then_what_changes(browser: Browser) -> None:
    events = browser.events()
    known: dict[str, Any] = {}
    while "plan" not in known:
        known |= next(events).get("state", {})
    assert known["lab"] == {"name": "verona", "up": True, "why": ""}
    assert [domain["domain"] for domain in known["plan"]["domains"]] == ["montague.lit", "capulet.lit"]
    assert known["node s1"]["state"] == "running"
    assert "secret" not in json.dumps(known)
    browser.ask(do="act", node="s1", action="pause")
    changes: list[dict[str, Any]] = [next(events)]
    while not any("node s1" in change.get("state", {}) for change in changes):
        changes.append(next(events))
    assert changes[-1]["state"]["node s1"]["state"] == "paused"
    said = [each for change in changes for each in change.get("said", [])]
    assert said == [{"what": "done", "command": "xmpplab pause s1 --lab verona", "error": ""}]


def test_a_lab_that_goes_down_is_told(browser: Browser) -> None:
    events = browser.events()
    known: dict[str, Any] = {}
    while "plan" not in known:
        known |= next(events).get("state", {})
    browser.driver.runs = False
    while known["lab"]["up"]:
        known |= next(events).get("state", {})
    assert known["lab"]["why"] == "lab verona is down; bring it up with `xmpplab up verona.yaml -d`"
    assert known["node s1"]["state"] == "running"  # its last state stays


def test_pages_are_bounded(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "MAX_PAGES", 1)
    events = browser.events()
    next(events)
    code, _, answer = browser.get("GET", "/events", **{TOKEN_HEADER.replace("-", "_"): TOKEN})
    assert (code, json.loads(answer)["error"]) == (503, "1 pages are open; close one")


def test_a_simulated_run_is_shown_with_its_stanzas(tmp_path: Path, reactor_thread: ReactorThread) -> None:
    run = LabFolder(tmp_path / "run")
    run.create()
    run.save_plan(make_plan(run.path))
    run.timeline.write_bytes(encoded(Row(2.0, 1.0, {"s1": NodeRow("running", None, None)})))
    hop = Hop(
        "sim-1", "s1", Event.DELIVERED, 1_500_000_000, "message", "romeo@montague.lit/a", "nurse@montague.lit", 99
    )
    run.journal.write_bytes(kept.encoded([hop]))
    lab = Lab.kept(run.path)
    with served(lab, reactor_thread, TOKEN) as (port, page):
        browser = Browser(port, Pretended(run), page)
        _, found = browser.ask(do="why", id="sim-1")
        assert found["answer"]["explanation"]["outcome"] == "delivered"
        assert found["command"] == f"xmpplab why sim-1 --lab {run.path}/"
        events = browser.events()
        known: dict[str, Any] = {}
        while not {"lab", "following"} <= known.keys():
            known |= next(events).get("state", {})
        assert known["lab"]["up"] is known["following"]["every"] is False
        assert "has a simulated run that is over" in known["lab"]["why"]
