"""Hops, the steps of a stanza through the nodes: their journal, and how they are shown."""
