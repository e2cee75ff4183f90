"""Who may use the page."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from cluster.web.guard import HEADERS, TOKEN_HEADER, Guard, Refusal

GUARD = Guard("127.0.0.1", 8080, "the-token")


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080"])
def test_the_page_itself(host: str) -> None:
    GUARD.check_host({"host": host}.get)
    GUARD.check_host({"host": host, "origin": f"http://{host}"}.get)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 421),
        ({"host": "127.0.0.1"}, 421),
        ({"host": "127.0.0.1:8081"}, 421),
        ({"host": "rebound.example:8080"}, 421),
        ({"host": "127.0.0.1:8080", "origin": "http://rebound.example:8080"}, 403),
        ({"host": "127.0.0.1:8080", "origin": "https://127.0.0.1:8080"}, 403),
        ({"host": "127.0.0.1:8080", "origin": "http://127.0.0.1:9090"}, 403),
        ({"host": "127.0.0.1:8080", "origin": "null"}, 403),
    ],
)
def test_a_request_from_elsewhere(headers: Mapping[str, str], code: int) -> None:
    with pytest.raises(Refusal) as refused:
        GUARD.check_host(headers.get)
    assert refused.value.code == code


@pytest.mark.parametrize("given", [None, "", "the-toke", "the-token ", "thé-token"])
def test_a_wrong_token(given: str | None) -> None:
    with pytest.raises(Refusal) as refused:
        GUARD.check_token({TOKEN_HEADER: given}.get if given is not None else {}.get)
    assert (refused.value.code, "open the whole address" in refused.value.text) == (401, True)


def test_the_right_token() -> None:
    GUARD.check_token({TOKEN_HEADER: "the-token"}.get)


def test_nothing_from_elsewhere_runs_or_is_loaded() -> None:
    policy = dict(part.split(" ", 1) for part in HEADERS["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in HEADERS["content-security-policy"]
