from cluster.trace.hop import Event
from cluster.trace.memory import MemoryJournal
from tests.unit.trace.hops import ROUTE, hop


def test_reads_the_hops_of_one_stanza_in_the_order_of_time() -> None:
    journal = MemoryJournal()
    for one in [*ROUTE[::-1], hop("s1", Event.RECEIVED, 0, trace_id="other")]:
        journal.append(one)
    assert journal.read("t1") == ROUTE
    assert len(journal.hops) == len(ROUTE) + 1
