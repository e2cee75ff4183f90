"""Pictures of a lab, as the RFC draws one (RFC 3920 section 2.1): clients, their servers, and what joins those."""

from __future__ import annotations

from textwrap import dedent
from typing import Literal

from cluster.topology.plan import Plan, ServerNode

Format = Literal["text", "mermaid"]

_MOST_ACCOUNTS = 6
"""Accounts drawn for one server; the others are counted."""


def draw(plan: Plan, format: Format) -> str:
    """The picture of the lab in this format, without a newline at its end."""
    return mermaid(plan) if format == "mermaid" else text(plan)


def mermaid(plan: Plan) -> str:
    """A Mermaid flowchart, for a Markdown page."""
    lines = ["flowchart LR"]
    clients = 0
    for index, server in enumerate(plan.servers, 1):
        for account in _shown_accounts(server):
            clients += 1
            lines.append(f"    C{clients}([{_quoted(account)}]) --- S{index}")
        lines.append(f"    S{index}[{_quoted(f'{server.name}<br>{server.domain}<br>{server.c2s}')}]")
        if len(plan.servers) > 1:
            lines.append(f"    S{index} --- R{{{{router}}}}")
    return "\n".join(lines)


def text(plan: Plan) -> str:
    """A picture for a terminal, one line for each account."""
    accounts = [_shown_accounts(server) for server in plan.servers]
    width = max(len(name) for names in accounts for name in [*names, ""])
    labels = _columns([[server.name, server.domain, server.c2s] for server in plan.servers])
    last = len(plan.servers) - 1
    lines: list[str] = []
    for index, (names, label) in enumerate(zip(accounts, labels, strict=True)):
        clients = [_client(name, row, len(names), width) for row, name in enumerate(names)] or [" " * (width + 4)]
        if index < last:
            clients.append(" " * (width + 4))  # a free line before the next server
        for row, client in enumerate(clients):
            server = label if row == 0 else " " * len(label)
            lines.append(f"{client} {server} {_trunk(index, row, last)}".rstrip())
    return dedent("\n".join(lines))


def _client(name: str, row: int, rows: int, width: int) -> str:
    """An account and the line from it to its server, which stands in the first row."""
    joint = "───" if rows == 1 else "─┬─" if row == 0 else "─┘ " if row == rows - 1 else "─┤ "
    return f"{name} {'─' * (width - len(name))}{joint}"


def _trunk(server: int, row: int, last: int) -> str:
    """The line between the servers, down to the last of them; the router stands at the first."""
    if last == 0:
        return ""
    if row:
        return "  │" if server < last else ""
    return "──┬── router" if server == 0 else "──┘" if server == last else "──┤"


def _shown_accounts(server: ServerNode) -> list[str]:
    names = [account.localpart for account in server.accounts]
    if len(names) <= _MOST_ACCOUNTS:
        return names
    return [*names[: _MOST_ACCOUNTS - 1], f"{len(names) - _MOST_ACCOUNTS + 1} more"]


def _columns(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def _quoted(label: str) -> str:
    """Mermaid reads `#…;` as a character by its number, and has no other escape."""
    return '"' + label.replace("#", "#35;").replace("`", "#96;") + '"'
