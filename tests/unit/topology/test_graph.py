from __future__ import annotations

from textwrap import dedent

from cluster.topology.graph import draw
from cluster.topology.plan import AccountSeed, Plan, XmpplabServer


def _server(number: int, domain: str, *accounts: str) -> XmpplabServer:
    seeds = tuple(AccountSeed(name, "secret") for name in accounts)
    return XmpplabServer(f"s{number}", domain, f"127.16.0.{number}", 5222, "required", accounts=seeds)


def _plan(*servers: XmpplabServer) -> Plan:
    return Plan("verona", "verona.yaml", "/srv/verona", servers)


VERONA = _plan(
    _server(1, "montague.lit", "romeo"),
    _server(2, "capulet.lit", "juliet", "nurse"),
    _server(3, "shakespeare.lit", "mercutio", "benvolio", "tybalt"),
)


def test_text_draws_clients_servers_and_the_router() -> None:
    assert draw(VERONA, "text") == dedent("""\
        romeo ────── s1  montague.lit     127.16.0.1:5222 ──┬── router
                                                            │
        juliet ───┬─ s2  capulet.lit      127.16.0.2:5222 ──┤
        nurse ────┘                                         │
                                                            │
        mercutio ─┬─ s3  shakespeare.lit  127.16.0.3:5222 ──┘
        benvolio ─┤
        tybalt ───┘""")


def test_a_single_server_needs_no_router() -> None:
    lonely = _plan(_server(1, "montague.lit", "romeo"))
    assert draw(lonely, "text") == "romeo ─── s1  montague.lit  127.16.0.1:5222"
    assert "router" not in draw(lonely, "mermaid")


def test_servers_without_accounts_begin_at_the_margin() -> None:
    bench = _plan(_server(1, "montague.lit"), _server(2, "capulet.lit"))
    assert draw(bench, "text") == dedent("""\
        s1  montague.lit  127.16.0.1:5222 ──┬── router
                                            │
        s2  capulet.lit   127.16.0.2:5222 ──┘""")


def test_many_accounts_are_counted() -> None:
    crowd = _plan(_server(1, "montague.lit", *(f"user{number}" for number in range(1, 10))))
    assert draw(crowd, "text") == dedent("""\
        user1 ──┬─ s1  montague.lit  127.16.0.1:5222
        user2 ──┤
        user3 ──┤
        user4 ──┤
        user5 ──┤
        4 more ─┘""")


def test_mermaid_draws_the_same() -> None:
    assert draw(_plan(*VERONA.servers[:2]), "mermaid") == dedent("""\
        flowchart LR
            C1(["romeo"]) --- S1
            S1["s1<br>montague.lit<br>127.16.0.1:5222"]
            S1 --- R{{router}}
            C2(["juliet"]) --- S2
            C3(["nurse"]) --- S2
            S2["s2<br>capulet.lit<br>127.16.0.2:5222"]
            S2 --- R{{router}}""")


def test_mermaid_labels_are_escaped() -> None:
    odd = _plan(_server(1, "montague.lit", "#1;`x`"))
    assert 'C1(["#35;1;#96;x#96;"])' in draw(odd, "mermaid")
