"""The extension host: the declaration of an extension, and the dispatch to it; in servers and in components."""
