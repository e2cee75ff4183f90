"""The extension host: how an extension declares itself, and who dispatches to it; in servers and in components."""
