"""Hops: what each node did with a stanza, where that is kept, and how it is shown."""
