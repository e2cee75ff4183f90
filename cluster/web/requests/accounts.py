"""Requests about accounts, their sessions and their servers' certificates."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from cluster.web.requests.ask import Ask, Change, Name, Page

Password = Annotated[str, Meta(min_length=1, max_length=1_024)]
OptionalPassword = Annotated[str, Meta(max_length=1_024)]
"""Empty: that of the topology."""


class People(Ask, frozen=True, tag="people"):
    """Everybody to chat as: accounts, phones and mailboxes; and the rooms of the topology, to write to."""

    def run(self, page: Page) -> Any:
        accounts = [
            {"who": jid, "kind": "account", "known": password is not None} for jid, password, _ in page.lab.accounts()
        ]
        others = [
            {"who": each.name, "kind": each.network.person, "jid": str(each.jid), "known": True}
            for each in page.lab.correspondents()
        ]
        services = (service for server in page.lab.plan.servers for service in server.services)
        rooms = [
            {"who": f"{name}@{service.domain}", "kind": "room", "known": True}
            for service in services
            if service.kind == "rooms"
            for name in service.settings.get("rooms", {})
        ]
        return [*accounts, *others, *rooms]

    def words(self) -> tuple[str, ...]:
        return ("user", "ls")


class UserAdd(Change, frozen=True, tag="user_add"):
    """Create an account."""

    jid: Name
    password: Password

    def run(self, page: Page) -> Any:
        return str(page.lab.users.add(self.jid, self.password))

    def words(self) -> tuple[str, ...]:
        return ("user", "add", self.jid)


class UserPasswd(Change, frozen=True, tag="user_passwd"):
    """Change the password of an account."""

    jid: Name
    password: Password

    def run(self, page: Page) -> Any:
        return str(page.lab.users.set_password(self.jid, self.password))

    def words(self) -> tuple[str, ...]:
        return ("user", "passwd", self.jid)


class UserDel(Change, frozen=True, tag="user_del"):
    """Remove an account and its data."""

    jid: Name

    def run(self, page: Page) -> Any:
        return str(page.lab.users.delete(self.jid))

    def words(self) -> tuple[str, ...]:
        return ("user", "del", self.jid)


class Sessions(Ask, frozen=True, tag="sessions"):
    """The clients that are logged in as an account, or at a domain: a `SessionView` each."""

    who: Name

    def run(self, page: Page) -> Any:
        return page.lab.users.sessions(self.who)

    def words(self) -> tuple[str, ...]:
        return ("user", "sessions", self.who)


class SessionEnd(Change, frozen=True, tag="session_end"):
    """End the session of a client."""

    jid: Name

    def run(self, page: Page) -> Any:
        return str(page.lab.users.end_session(self.jid))

    def words(self) -> tuple[str, ...]:
        return ("user", "disconnect", self.jid)


class Roster(Ask, frozen=True, tag="roster"):
    """The contacts of an account: a `RosterContact` each."""

    who: Name
    password: OptionalPassword = ""

    def run(self, page: Page) -> Any:
        return page.lab.account(self.who, self.password or None).roster()

    def words(self) -> tuple[str, ...]:
        return ("user", "roster", self.who)


class RosterAdd(Change, frozen=True, tag="roster_add"):
    """Put a contact on the roster of an account, and ask for its presence."""

    who: Name
    contact: Name
    password: OptionalPassword = ""

    def run(self, page: Page) -> Any:
        page.lab.account(self.who, self.password or None).add_contact(self.contact)

    def words(self) -> tuple[str, ...]:
        return ("user", "roster", self.who, "--add", self.contact)


class RosterRemove(Change, frozen=True, tag="roster_remove"):
    """Remove a contact and both subscriptions."""

    who: Name
    contact: Name
    password: OptionalPassword = ""

    def run(self, page: Page) -> Any:
        page.lab.account(self.who, self.password or None).remove_contact(self.contact)

    def words(self) -> tuple[str, ...]:
        return ("user", "roster", self.who, "--remove", self.contact)


class Search(Ask, frozen=True, tag="search"):
    """Messages with a text in the archives: a `SearchResult`."""

    text: Name
    who: Name = ""

    def run(self, page: Page) -> Any:
        return page.lab.search(self.text, self.who)

    def words(self) -> tuple[str, ...]:
        return ("search", self.text, *(("--of", self.who) if self.who else ()))
