"""The HTTP side of the page: its files, requests in JSON, and the stream of events."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import msgspec
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from cluster.base.clock import Reactor
from cluster.base.request import Refused
from cluster.lab.api import Lab
from cluster.web import requests
from cluster.web.chats import Chats
from cluster.web.feed import Feed
from cluster.web.guard import HEADERS, Guard, Refusal
from cluster.web.live import Live
from cluster.web.requests import Ask, command_of
from cluster.web.threads import Threads

MAX_BODY_BYTES = 512 * 1024
MAX_PAGES = 20
"""Open at a time."""
HEADER_TIMEOUT_S = 30.0
BEAT_EVERY_S = 15.0
"""An empty event, by which a connection that is gone is noticed."""
IDLE_S = 60.0
"""After the last page is closed, its chat panes log out."""
_TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8",
          "svg": "image/svg+xml"}  # fmt: skip

_encode = msgspec.json.encode


class BoundedRequest(Request):
    """A request with a body of a bounded size, which is announced: Twisted would store any in a file."""

    def gotLength(self, length: int | None) -> None:
        """Refuse a larger body (RFC 9110 section 15.5.14); the size is None if it is not announced."""
        is_large = length is None or length > MAX_BODY_BYTES
        super().gotLength(0 if is_large else length)  # type: ignore[no-untyped-call]
        if is_large:
            channel: Any = self.channel
            channel.transport.write(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            channel.loseConnection()
        self._is_large = is_large

    def handleContentChunk(self, data: bytes) -> None:
        """Discard what is too large."""
        if not self._is_large:
            super().handleContentChunk(data)  # type: ignore[no-untyped-call]

    def header(self, name: str) -> str | None:
        """The value of a header. Octets that are not UTF-8 are replaced: `getHeader` fails at them."""
        value: bytes | None = self.getHeader(name.encode())
        return None if value is None else value.decode(errors="replace")


class PageSite(Site):
    """The site. It logs no requests."""

    noisy = False

    def log(self, request: object) -> None:
        """Log nothing: the terminal is the user's."""


class Page:
    """One lab's page: what its resources share."""

    def __init__(self, lab: Lab, reactor: Reactor) -> None:
        self.lab = lab
        self.reactor = reactor
        self.threads = Threads(reactor)
        self.live = Live(lab, reactor)
        self.chats = Chats(lab, self.live.say)

    def site(self, guard: Guard) -> Site:
        """The site at one address."""
        root: Any = _File("index.html", guard)
        root.putChild(b"", root)
        for each in files("cluster.web").joinpath("assets").iterdir():
            root.putChild(each.name.encode(), _File(each.name, guard))
        root.putChild(b"ask", _AskResource(self, guard))
        root.putChild(b"events", _Events(self, guard))
        return PageSite(root, requestFactory=BoundedRequest, reactor=self.reactor, timeout=HEADER_TIMEOUT_S)  # type: ignore[no-untyped-call]

    def page_closed(self) -> None:
        """Log the chat panes out if no page comes back."""
        if not self.live.pages:
            self.reactor.callLater(IDLE_S, lambda: None if self.live.pages else self.chats.close_all())


class _Guarded(Resource):
    """The base of all resources: HEADERS, and the answer to what the guard refuses."""

    needs_token = True

    def __init__(self, guard: Guard) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._guard = guard

    def render(self, request: Any) -> Any:
        """The answer of the subclass, or that of the guard."""
        for name, value in HEADERS.items():
            request.setHeader(name, value)
        try:
            self._guard.check_host(request.header)
            if self.needs_token:
                self._guard.check_token(request.header)
        except Refusal as refusal:
            return _refuse(request, refusal.code, refusal.text)
        return super().render(request)  # type: ignore[no-untyped-call]

    def getChild(self, path: bytes, request: Any) -> Resource:
        """What is not there."""
        return _Nothing(self._guard)


class _File(_Guarded):
    """One file of the page; none has a secret."""

    needs_token = False

    def __init__(self, name: str, guard: Guard) -> None:
        super().__init__(guard)
        self._type = _TYPES[name.rpartition(".")[2]]
        self._content = files("cluster.web").joinpath("assets", name).read_bytes()

    def render_GET(self, request: Any) -> bytes:
        request.setHeader("content-type", self._type)
        return self._content


class _Nothing(_Guarded):
    """The answer to all other paths."""

    needs_token = False
    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        return _refuse(request, 404, "the page has nothing at this path")


class _AskResource(_Guarded):
    """`POST /ask`: one request of `cluster.web.requests`; `{"answer": …, "command": …}`, or `{"error": …}`."""

    isLeaf = True
    _log = Logger()

    def __init__(self, page: Page, guard: Guard) -> None:
        super().__init__(guard)
        self._page = page

    def render_POST(self, request: Any) -> Any:
        if (request.header("content-type") or "").partition(";")[0].strip() != "application/json":
            return _refuse(request, 415, "a request is application/json")
        try:
            ask = requests.read(request.content.read())
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _refuse(request, 400, f"not a request of the page: {error}")
        gone: list[object] = []
        request.notifyFinish().addBoth(gone.append)
        command = command_of(ask, self._page.lab.option)

        def answer(found: Any) -> None:
            if ask.is_change:
                self._page.live.look_soon()
            if isinstance(found, Failure):
                code, text = self._refusal(found)
                if not gone:
                    request.write(_refuse(request, code, text, command))
            elif not gone:
                _json(request)
                request.write(_encode({"answer": found, "command": command}))
            self._tell_done(ask, command, found)
            if not gone:
                request.finish()

        self._page.threads.run(lambda: ask.run(self._page)).addBoth(answer)
        return NOT_DONE_YET

    def _tell_done(self, ask: Ask, command: str, found: Any) -> None:
        """Everybody who looks is told what was done to the lab."""
        if ask.is_change:
            error = self._refusal(found)[1] if isinstance(found, Failure) else ""
            self._page.live.done(command, error)

    def _refusal(self, failure: Failure) -> tuple[int, str]:
        error = failure.value
        if isinstance(error, Refused | ValueError | OSError):
            return 200, str(error)  # the lab's own answer: browsers note other codes as problems of the page
        self._log.failure("A request of the page failed", failure)
        return 500, f"this failed in the page's server: {error!r}; it is a fault of xmpplab"


class _Events(_Guarded):
    """`GET /events`: server-sent events, each with all changes since the last one as a JSON document."""

    isLeaf = True

    def __init__(self, page: Page, guard: Guard) -> None:
        super().__init__(guard)
        self._page = page

    def render_GET(self, request: Any) -> Any:
        if self._page.live.pages >= MAX_PAGES:
            return _refuse(request, 503, f"{MAX_PAGES} pages are open; close one")
        request.setHeader("content-type", "text/event-stream")
        request.channel.setTimeout(None)
        _Stream(self._page, request).start()
        return NOT_DONE_YET


class _Stream:
    """The events of one page; while it does not read them, they are kept in its feed, which is bounded."""

    def __init__(self, page: Page, request: Any) -> None:
        self._page = page
        self._request = request
        self._feed: Feed
        self._is_full = False
        self._beat: Any = None

    def start(self) -> None:
        """Write what comes, until the page is closed."""
        self._request.registerProducer(self, True)
        self._request.notifyFinish().addBoth(self._end)
        self._feed = self._page.live.open(self._write)
        self._write()
        self._write_beat()

    def _write(self) -> None:
        if not self._is_full and (changes := self._feed.take()):
            self._request.write(b"data: " + _encode(changes) + b"\n\n")

    def _write_beat(self) -> None:
        if not self._is_full:
            self._request.write(b":\n\n")
        self._beat = self._page.reactor.callLater(BEAT_EVERY_S, self._write_beat)

    def _end(self, _: object) -> None:
        self._beat.cancel()
        self._page.live.close(self._feed)
        self._page.page_closed()

    def pauseProducing(self) -> None:
        """IPushProducer: the page does not read."""
        self._is_full = True

    def resumeProducing(self) -> None:
        """IPushProducer: it reads again."""
        self._is_full = False
        self._write()

    def stopProducing(self) -> None:
        """IPushProducer: it is gone, as `notifyFinish` tells too."""


def _json(request: Any) -> None:
    request.setHeader("content-type", "application/json")


def _refuse(request: Any, code: int, text: str, command: str = "") -> bytes:
    request.setResponseCode(code)
    _json(request)
    return _encode({"error": text, "command": command})
