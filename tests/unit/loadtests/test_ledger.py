from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from cluster.xmpp.jid import Jid
from loadtests.ledger import InFlight, Ledger

ROMEO, JULIET, NURSE = (Jid.parse(text) for text in ("romeo@montague.lit", "juliet@capulet.lit", "nurse@capulet.lit"))
OUT = InFlight(ROMEO, JULIET, "cross-domain", 1)
BACK = InFlight(JULIET, ROMEO, "cross-domain", 2)
HOME = InFlight(JULIET, NURSE, "local", 3)


def ledger(**messages: InFlight) -> Ledger:
    made = Ledger()
    for id, message in messages.items():
        made.add(id, message)
    return made


def test_a_message_leaves_once() -> None:
    book = ledger(m1=OUT)
    assert book.remove("m1") == OUT
    assert book.remove("m1") is None
    assert book.give_up(ROMEO) == []


def test_giving_up_takes_what_comes_and_goes() -> None:
    book = ledger(m1=OUT, m2=BACK, m3=HOME)
    assert book.give_up(ROMEO) == [OUT, BACK]
    assert book.give_up(ROMEO) == []
    assert book.give_up(NURSE) == [HOME]


def test_who_has_nothing_in_flight_does_not_wait() -> None:
    book = ledger(m1=HOME)
    assert book.wait_until_settled(ROMEO, timeout_s=0)
    assert not book.wait_until_settled(NURSE, timeout_s=0)


def test_the_last_message_ends_the_wait_of_both_ends() -> None:
    book = ledger(m1=OUT, m2=OUT)
    with ThreadPoolExecutor() as threads:
        waits = [threads.submit(book.wait_until_settled, party, 60) for party in (ROMEO, JULIET)]
        book.remove("m1")
        assert not any(wait.done() for wait in waits)
        book.remove("m2")
        assert [wait.result() for wait in waits] == [True, True]


def test_a_user_may_be_asked_again_after_it_settled() -> None:
    book = ledger(m1=OUT)
    book.remove("m1")
    book.add("m2", OUT)
    assert not book.wait_until_settled(JULIET, timeout_s=0)
