"""The verification string of a description: the examples of XEP-0115."""

from __future__ import annotations

from cluster.host.disco import INFO, verification
from cluster.xmpp import element as xml
from cluster.xmpp.extensions.data_form import DATA

FEATURES = (
    "http://jabber.org/protocol/caps",
    "http://jabber.org/protocol/disco#info",
    "http://jabber.org/protocol/disco#items",
    "http://jabber.org/protocol/muc",
)
SOFTWARE = {
    "os_version": ["10.5.1"],
    "software_version": ["0.11"],
    "ip_version": ["ipv6", "ipv4"],
    "os": ["Mac"],
    "software": ["Psi"],
}


def features() -> str:
    return "".join(f"<feature var='{var}'/>" for var in reversed(FEATURES))


def test_the_simple_example() -> None:
    # section 5.2
    identity = "<identity category='client' type='pc' name='Exodus 0.9.1'/>"
    query = xml.parse(f"<query xmlns='{INFO}'>{features()}{identity}</query>".encode())
    assert verification(query) == "QgayPKawpkPSDYmwT/WM94uAlu0="


def test_the_complex_example() -> None:
    # section 5.3
    identities = (
        "<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>"
        "<identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>"
    )
    fields = "".join(
        f"<field var='{var}'>{''.join(f'<value>{value}</value>' for value in values)}</field>"
        for var, values in SOFTWARE.items()
    )
    form_type = "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>"
    form = f"<x xmlns='{DATA}' type='result'>{fields}{form_type}</x>"
    query = xml.parse(f"<query xmlns='{INFO}'>{identities}{features()}{form}</query>".encode())
    assert verification(query) == "q07IKJEyjvHSyhy//CH0CxmKi8w="


def test_the_order_is_that_of_the_parts() -> None:
    # '-' is before '/', but 'a' before 'a-b' all the same
    identities = ["<identity category='a-b' type='x'/>", "<identity category='a' type='x'/>"]
    for order in (identities, identities[::-1]):
        query = xml.parse(f"<query xmlns='{INFO}'>{''.join(order)}</query>".encode())
        # printf 'a/x//<a-b/x//<' | openssl dgst -binary -sha1 | openssl base64
        assert verification(query) == "DMGnBGc0Z78xbQqz/qhzJf5jVTs="
