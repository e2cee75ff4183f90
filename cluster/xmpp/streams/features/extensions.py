"""Features of modules after the login: their elements are allowed between the stanzas."""

from __future__ import annotations

from cluster.xmpp.streams.feature import Fact, Feature

EXTENSIONS = Feature("extensions", needs=Fact.AUTHENTICATED, offer=lambda stream: stream.options.features_after_login)
