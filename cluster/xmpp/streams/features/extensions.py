"""What modules offer once the login is done: elements of theirs may stand between the stanzas."""

from __future__ import annotations

from cluster.xmpp.streams.feature import Fact, Feature

EXTENSIONS = Feature("extensions", needs=Fact.AUTHENTICATED, offer=lambda stream: stream.options.features_after_login)
