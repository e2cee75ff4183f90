"""Services as a folder declares them, for tests."""
