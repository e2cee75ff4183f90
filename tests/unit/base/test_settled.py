"""What several pieces of work have settled to."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from cluster.base.pipelined import PipelinedReply, is_pipelined
from cluster.base.settled import all_of


def test_what_is_done_needs_no_further_wait() -> None:
    """Found by `xmpplab simulate` with a slow disk: a message came again with another stanza-id."""
    link: Deferred[None] = Deferred()
    both = all_of([link, PipelinedReply()])
    assert not is_pipelined(both)
    link.callback(None)
    assert is_pipelined(both)
