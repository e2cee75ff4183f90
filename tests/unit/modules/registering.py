"""What is said and answered where an account is made (XEP-0077)."""

from __future__ import annotations

from cluster.xmpp.extensions.data_form import DATA
from cluster.xmpp.namespaces import CLIENT, REGISTER, STREAMS
from tests.network import MONTAGUE, Network

HEADER = f"<stream:stream to='{MONTAGUE}' version='1.0' xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>"
FEATURE = b"<register xmlns="


def iq(type: str, content: str = "", to: str = "") -> str:
    address = f" to='{to}'" if to else ""
    return f"<iq type='{type}' id='1'{address}><query xmlns='{REGISTER}'>{content}</query></iq>"


def login(name: str, password: str) -> str:
    return f"<username>{name}</username><password>{password}</password>"


def form(name: str, password: str, kind: str = "submit", form_type: str = REGISTER) -> str:
    def field(var: str, value: str) -> str:
        return f"<field var='{var}'><value>{value}</value></field>"

    fields = field("FORM_TYPE", form_type) if form_type else ""
    fields += field("username", name) + field("password", password)
    return f"<x xmlns='{DATA}' type='{kind}'>{fields}</x>"


def before_login(network: Network, stanza: str) -> str:
    """What a stream without a login is answered."""
    connection = network.connect()
    network.say(connection, HEADER)
    assert FEATURE in connection.output
    seen = len(connection.output)
    network.say(connection, stanza)
    return connection.output[seen:].decode()
