"""Who publishes, who listens, and the nodes of which they tell."""

from __future__ import annotations

TUNE, MOOD = "http://jabber.org/protocol/tune", "http://jabber.org/protocol/mood"
JULIET, ROMEO, NURSE = "juliet@capulet.lit", "romeo@montague.lit", "nurse@capulet.lit"
