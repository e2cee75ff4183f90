"""Entity capabilities: the examples of XEP-0115 and XEP-0390, and what proves nothing."""

from __future__ import annotations

import pytest

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.caps import INFO, MAX_INTERESTS, Capabilities, interests, is_proved, read, verification
from cluster.xmpp.extensions.data_form import DATA
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, make

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


# --- XEP-0390


SIMPLE_2 = """<query xmlns="http://jabber.org/protocol/disco#info">
  <identity category="client" name="BombusMod" type="mobile"/>
  <feature var="http://jabber.org/protocol/si"/>
  <feature var="http://jabber.org/protocol/bytestreams"/>
  <feature var="http://jabber.org/protocol/chatstates"/>
  <feature var="http://jabber.org/protocol/disco#info"/>
  <feature var="http://jabber.org/protocol/disco#items"/>
  <feature var="urn:xmpp:ping"/>
  <feature var="jabber:iq:time"/>
  <feature var="jabber:iq:privacy"/>
  <feature var="jabber:iq:version"/>
  <feature var="http://jabber.org/protocol/rosterx"/>
  <feature var="urn:xmpp:time"/>
  <feature var="jabber:x:oob"/>
  <feature var="http://jabber.org/protocol/ibb"/>
  <feature var="http://jabber.org/protocol/si/profile/file-transfer"/>
  <feature var="urn:xmpp:receipts"/>
  <feature var="jabber:iq:roster"/>
  <feature var="jabber:iq:last"/>
</query>"""
COMPLEX_2 = """<query xmlns="http://jabber.org/protocol/disco#info">
  <identity category="client" name="Tkabber" type="pc" xml:lang="en"/>
  <identity category="client" name="Ткаббер" type="pc" xml:lang="ru"/>
  <feature var="games:board"/>
  <feature var="http://jabber.org/protocol/activity"/>
  <feature var="http://jabber.org/protocol/activity+notify"/>
  <feature var="http://jabber.org/protocol/bytestreams"/>
  <feature var="http://jabber.org/protocol/chatstates"/>
  <feature var="http://jabber.org/protocol/commands"/>
  <feature var="http://jabber.org/protocol/disco#info"/>
  <feature var="http://jabber.org/protocol/disco#items"/>
  <feature var="http://jabber.org/protocol/evil"/>
  <feature var="http://jabber.org/protocol/feature-neg"/>
  <feature var="http://jabber.org/protocol/geoloc"/>
  <feature var="http://jabber.org/protocol/geoloc+notify"/>
  <feature var="http://jabber.org/protocol/ibb"/>
  <feature var="http://jabber.org/protocol/iqibb"/>
  <feature var="http://jabber.org/protocol/mood"/>
  <feature var="http://jabber.org/protocol/mood+notify"/>
  <feature var="http://jabber.org/protocol/rosterx"/>
  <feature var="http://jabber.org/protocol/si"/>
  <feature var="http://jabber.org/protocol/si/profile/file-transfer"/>
  <feature var="http://jabber.org/protocol/tune"/>
  <feature var="http://www.facebook.com/xmpp/messages"/>
  <feature var="http://www.xmpp.org/extensions/xep-0084.html#ns-metadata+notify"/>
  <feature var="jabber:iq:avatar"/>
  <feature var="jabber:iq:browse"/>
  <feature var="jabber:iq:dtcp"/>
  <feature var="jabber:iq:filexfer"/>
  <feature var="jabber:iq:ibb"/>
  <feature var="jabber:iq:inband"/>
  <feature var="jabber:iq:jidlink"/>
  <feature var="jabber:iq:last"/>
  <feature var="jabber:iq:oob"/>
  <feature var="jabber:iq:privacy"/>
  <feature var="jabber:iq:roster"/>
  <feature var="jabber:iq:time"/>
  <feature var="jabber:iq:version"/>
  <feature var="jabber:x:data"/>
  <feature var="jabber:x:event"/>
  <feature var="jabber:x:oob"/>
  <feature var="urn:xmpp:avatar:metadata+notify"/>
  <feature var="urn:xmpp:ping"/>
  <feature var="urn:xmpp:receipts"/>
  <feature var="urn:xmpp:time"/>
  <x xmlns="jabber:x:data" type="result">
    <field type="hidden" var="FORM_TYPE">
      <value>urn:xmpp:dataforms:softwareinfo</value>
    </field>
    <field var="software">
      <value>Tkabber</value>
    </field>
    <field var="software_version">
      <value>0.11.1-svn-20111216-mod (Tcl/Tk 8.6b2)</value>
    </field>
    <field var="os">
      <value>Windows</value>
    </field>
    <field var="os_version">
      <value>XP</value>
    </field>
  </x>
</query>"""


@pytest.mark.parametrize(
    ("query", "algorithm", "hash"),
    [
        (SIMPLE_2, "sha-256", "kzBZbkqJ3ADrj7v08reD1qcWUwNGHaidNUgD7nHpiw8="),
        (SIMPLE_2, "sha3-256", "79mdYAfU9rEdTOcWDO7UEAt6E56SUzk/g6TnqUeuD9Q="),
        (COMPLEX_2, "sha-256", "u79ZroNJbdSWhdSp311mddz44oHHPsEBntQ5b1jqBSY="),
        (COMPLEX_2, "sha3-256", "XpUJzLAc93258sMECZ3FJpebkzuyNXDzRNwQog8eycg="),
    ],
)
def test_the_examples_of_the_second_kind(query: str, algorithm: str, hash: str) -> None:
    # section 4.5
    told = Capabilities(f"urn:xmpp:caps#{algorithm}.{hash}", algorithm, hash, 2)
    assert is_proved(told, xml.parse(query.encode()))
    assert not is_proved(told, xml.parse(query.replace("urn:xmpp:ping", "urn:xmpp:pong").encode()))


@pytest.mark.parametrize(
    "inner",
    [
        "<other xmlns='x'/>",
        f"<x xmlns='{DATA}' type='result'><field var='a'/></x>",
        f"<x xmlns='{DATA}' type='result'><field var='FORM_TYPE'/><item/></x>",
    ],
)
def test_what_has_no_hash_of_the_second_kind_proves_nothing(inner: str) -> None:
    # section 4.1
    query = xml.parse(f"<query xmlns='{INFO}'>{inner}</query>".encode())
    assert not is_proved(Capabilities("n", "sha-256", "", 2), query)


# --- XEP-0115 section 5.4


def told_of(inner: str) -> Element:
    return xml.parse(f"<query xmlns='{INFO}'>{inner}</query>".encode())


def typed(*values: str, more: str = "") -> str:
    shown = "".join(f"<value>{value}</value>" for value in values)
    return f"<x xmlns='{DATA}' type='result'><field var='FORM_TYPE' type='hidden'>{shown}</field>{more}</x>"


@pytest.mark.parametrize(
    "inner",
    [
        "<feature var='a'/><feature var='a'/>",
        "<identity category='a' type='b'/><identity category='a' type='b'/>",
        typed("a") + typed("a"),
        typed("a", "b"),
        "<feature var='a&lt;b'/>",
    ],
)
def test_an_ill_formed_answer_proves_nothing(inner: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        verification(told_of(inner))
    assert not is_proved(Capabilities("n", "sha-1", "x"), told_of(inner))


def test_a_form_without_a_type_does_not_count() -> None:
    plain = verification(told_of("<feature var='a'/>"))
    untyped = f"<x xmlns='{DATA}' type='result'><field var='b'><value>c</value></field></x>"
    visible = typed("d").replace("hidden", "text-single")
    assert verification(told_of(f"<feature var='a'/>{untyped}{visible}")) == plain


KNOWN = Capabilities("n#v=", "sha-1", "v=")


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("", None),
        ("<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v='/>", KNOWN),
        ("<status>&lt;c/></status><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v='></c>",
         KNOWN),
        ("<x xmlns='x'><c a='b'/></x><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v='/>",
         KNOWN),
        ("<c xmlns='http://jabber.org/protocol/caps' node='n' ver='1.0'/>", Capabilities("n#1.0")),
        ("<c xmlns='http://jabber.org/protocol/caps' hash='md2' node='n' ver='1.0'/>", Capabilities("n#1.0")),
        ("<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n'/>", None),
        ("<c xmlns='urn:xmpp:caps'><hash xmlns='urn:xmpp:hashes:2' algo='md2'>x</hash>"
         "<hash xmlns='urn:xmpp:hashes:2' algo='sha-256'>y</hash></c>",
         Capabilities("urn:xmpp:caps#sha-256.y", "sha-256", "y", 2)),
        ("<c xmlns='urn:xmpp:caps'><hash xmlns='urn:xmpp:hashes:2' algo='sha-256'>y</hash></c>"
         "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v='/>", KNOWN),
    ],
)  # fmt: skip
def test_what_a_presence_refers_to(payload: str, expected: Capabilities | None) -> None:
    tree = xml.parse(f"<presence>{payload}</presence>".encode())
    presence = make("presence", from_=Jid.parse("romeo@montague.lit/pda"), payload=[*tree])
    assert read(presence) == expected


@pytest.mark.parametrize(
    "raw",
    [
        "<presence xmlns:p='u'>"
        "<c xmlns='http://jabber.org/protocol/caps' p:a='1' hash='sha-1' node='n' ver='v'/></presence>",
        "<presence><status><![CDATA[<c node='&'/>]]></status>"
        "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'></c></presence>",
        "<presence><x xmlns='u'><c a='1'/></x>"
        "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'></c></presence>",
    ],
    ids=["a prefix of the presence", "text that looks like it", "a child of another"],
)
def test_however_a_presence_is_written(raw: str) -> None:
    presence = Stanza("presence", None, None, None, None, ("http://jabber.org/protocol/caps c",), raw.encode())
    assert read(presence) == Capabilities("n#v", "sha-1", "v")


@pytest.mark.parametrize("long", ["node", "ver"])
def test_a_reference_that_would_fill_the_memory_is_none(long: str) -> None:
    said = {"node": "n", "ver": "v", long: "x" * 1_100}
    c = Element("{http://jabber.org/protocol/caps}c", hash="sha-1", **said)
    assert read(make("presence", payload=[c])) is None


def test_the_names_of_nodes_that_a_client_wants_are_bounded_together() -> None:
    features = "".join(f"<feature var='{number:01000}+notify'/>" for number in range(20))
    wanted = interests(xml.parse(f"<query xmlns='{INFO}'>{features}</query>".encode()))
    assert sorted(wanted) == [f"{number:01000}" for number in range(8)]


def test_the_nodes_that_a_client_wants_are_bounded() -> None:
    many = "".join(f"<feature var='n{number}+notify'/>" for number in range(MAX_INTERESTS + 1))
    assert len(interests(told_of(many + "<feature var='other'/>"))) == MAX_INTERESTS
