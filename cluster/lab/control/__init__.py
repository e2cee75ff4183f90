"""Asking a part that runs: whether it answers, and to do something."""
