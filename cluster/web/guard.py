"""Who may use the page: a browser on this machine that has the token, and no page from elsewhere. Pure."""

from __future__ import annotations

import hmac
from collections.abc import Callable

TOKEN_HEADER = "x-xmpplab-token"
"""Not a cookie, which a browser would send along with requests of other pages."""

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Of every answer."""


class Refusal(Exception):
    """The request is not answered. Its arguments: the status code, and the text for the user."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class Guard:
    """Checks requests to one address."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._hosts = {f"{host}:{port}", f"localhost:{port}"}
        self._address = f"http://{host}:{port}/"
        self._token = token

    def check_host(self, header: Callable[[str], str | None]) -> None:
        """A name of another site that leads here (DNS rebinding) is refused, and requests of other sites' pages.

        `header`: the value of a header of the request. Raises Refusal.
        """
        host = header("host") or ""
        if host not in self._hosts:
            raise Refusal(421, f"this page is at {self._address} only")
        origin = header("origin")
        if origin is not None and origin != f"http://{host}":
            raise Refusal(403, "a page of another site asks; only the page of this lab may")

    def check_token(self, header: Callable[[str], str | None]) -> None:
        """Raises Refusal without the token."""
        given = header(TOKEN_HEADER) or ""
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            raise Refusal(401, "the token is missing or wrong; open the whole address that `xmpplab web` printed")
