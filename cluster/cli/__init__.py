"""The command `xmpplab`: one file per sub-command."""

from cluster.cli.app import main

__all__ = ["main"]
