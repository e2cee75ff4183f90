# mypy: allow-untyped-calls, allow-untyped-decorators
# (locust annotates only some of its functions)
"""Scenario `login`: clients come and go. Each logs out and in again, and resumes its stream, by turns.

xmpplab load login --users 50 --time 30s --rate 0.2
"""

from __future__ import annotations

from dataclasses import replace

import gevent
from locust import task
from typing_extensions import override

from cluster.client.blocking import BlockingClient
from cluster.xmpp.namespaces import CLIENT, SM
from cluster.xmpp.parser import Slice
from cluster.xmpp.streams import sm
from cluster.xmpp.streams.login import Login, Resumption
from loadtests import run
from loadtests.paced_user import PacedUser
from loadtests.run import BROKEN

STANZAS = tuple(f"{CLIENT} {name}" for name in ("message", "presence", "iq"))


class NotResumed(Exception):
    """The server took the login for a new one: the session, and what was on its way to it, is gone."""


class LoginUser(PacedUser):
    """Leaves and comes back `--rate` times per second, by turns in order and by a broken connection.

    Fires beside what each user does:

    - `login again`: from when it was due until a new stream is bound and presence is sent: the old stream is ended,
      connection, TLS, authentication, resource binding.
    - `resume`: from when it was due until the server has resumed the session (XEP-0198 section 5), after the connection
      was cut: connection, TLS, authentication, resumption. None where the server has no stream management.
    """

    @override
    def on_start(self) -> None:
        self._sm_id = ""
        self._handled = 0
        self._is_cut_next = False
        super().on_start()

    @override
    def _connect(self, login: Login) -> BlockingClient:
        client = super()._connect(login)
        client.send(f"<enable xmlns='{SM}' resume='true'/>".encode())
        self._sm_id, self._handled = "", 0
        return client

    @task
    def come_again(self) -> None:
        """One of both."""
        due_ns = self.take_due()
        self._connection.get()  # waits for a stream
        client = self._taken_back()
        assert client is not None
        is_cut, self._is_cut_next = self._is_cut_next and bool(self._sm_id), not self._is_cut_next
        row = "resume" if is_cut else "login again"
        try:
            new = self._resumed(client) if is_cut else self._logged_in_again(client)
        except (*BROKEN, NotResumed) as error:
            self.figures.fail(row, error)
            self._return = gevent.spawn(self._come_back)
        else:
            self.figures.take(row, due_ns)
            self._begin(new)

    def _logged_in_again(self, client: BlockingClient) -> BlockingClient:
        client.close()
        return self._connect(replace(self.place.login, register=False))

    def _resumed(self, client: BlockingClient) -> BlockingClient:
        client.cut()
        login, how = replace(self.place.login, register=False), Resumption(client.jid, self._sm_id, self._handled)
        new = run.connect(self.place.server, login, how)
        if not new.bound.is_resumed:
            new.close()
            raise NotResumed("the server had forgotten the session")
        return new

    @override
    def _on_child(self, child: Slice) -> None:
        if child.name in STANZAS:
            self._handled = (self._handled + 1) % sm.COUNTS if self._sm_id else 0  # section 4
            super()._on_child(child)
        elif child.name == f"{SM} enabled":
            self._sm_id, self._handled = child.attributes.get("id", ""), 0
        elif child.name == f"{SM} r":
            self._connection.get().write(f"<a xmlns='{SM}' h='{self._handled}'/>".encode())
