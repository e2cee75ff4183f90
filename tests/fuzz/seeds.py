"""Where a fuzzer starts from: what real clients say, and words that it would not guess."""

from __future__ import annotations

from itertools import chain

from tests.fuzz import dribble, rooms
from tests.fuzz.targets import BEGINNINGS, OPTIONS, STEP
from tests.unit.xmpp.spelling import HEADERS, USUAL
from tests.unit.xmpp.spoken import ABORT, END, MESSAGE, PLAIN, REGISTRATION, SCRAM, STARTTLS, WRONG_PROOF, bind

CHILDREN = [
    *(MESSAGE, "<presence/>", "<presence \n/>", "<presence></presence\n>"),
    *("<stream:features/>", "<iq type='get' id='1'><a xmlns='urn:x'/></iq>"),
    *("<message:message xmlns:message='jabber:client'><message:body/></message:message>",),
    *("<message from='romeo@montague.lit' to='juliet@capulet.lit/a>b'><![CDATA[</message>]]></message>", "&amp; "),
    *("<message to='&#x40;' xml:lang='it'>&lt;&gt;</message>", "<a xmlns=''/>", "<x:a xmlns:x='urn:x' x:b=\"'\"/>"),
    *("<!-- x -->", "<?x y?>", "<!DOCTYPE a>", "&nbsp;", "<a></b>", "<b xmlns='a}b'/>"),
    "<message from='juliet@capulet.lit'/>",
]  # fmt: skip
STEPS = [HEADERS[0].raw.decode(), STARTTLS, SCRAM, PLAIN, ABORT, WRONG_PROOF, bind("pda"), REGISTRATION, END, *CHILDREN]
REQUESTS = [
    "<query xmlns='jabber:iq:roster'/>",
    "<query xmlns='jabber:iq:roster'><item jid='a@b' name='c'><group>d</group></item></query>",
    "<query xmlns='jabber:iq:roster'><item jid='juliet@capulet.lit' subscription='remove'/></query>",
    "<vCard xmlns='vcard-temp'><PHOTO><BINVAL>aGk=</BINVAL></PHOTO></vCard>", "<ping xmlns='urn:xmpp:ping'/>",
    "<query xmlns='jabber:iq:private'><x xmlns='urn:x'/></query>", "<enable xmlns='urn:xmpp:carbons:2'/>",
    "<block xmlns='urn:xmpp:blocking'><item jid='juliet@capulet.lit'/></block>", "<time xmlns='urn:xmpp:time'/>",
    "<query xmlns='urn:xmpp:mam:2' queryid='f'><set xmlns='http://jabber.org/protocol/rsm'><max>1</max></set></query>",
    "<prefs xmlns='urn:xmpp:mam:2' default='always'><never><jid>a@b</jid></never></prefs>",
    "<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='submit'><field var='with'><value>a@b</value></field>"
    "</x></query>",
    "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>", "<query xmlns='jabber:iq:last'/>",
    "<query xmlns='jabber:iq:register'><username>romeo</username><password>new</password></query>",
    "<query xmlns='jabber:iq:register'><remove/></query>", "<unblock xmlns='urn:xmpp:blocking'/>",
]  # fmt: skip
NONZAS = [
    "<enable xmlns='urn:xmpp:sm:3' resume='true'/><r xmlns='urn:xmpp:sm:3'/>", "<a xmlns='urn:xmpp:sm:3' h='0'/>",
    "<inactive xmlns='urn:xmpp:csi:0'/><active xmlns='urn:xmpp:csi:0'/>",
    "<resume xmlns='urn:xmpp:sm:3' h='1' previd='x'/>",
]  # fmt: skip
PRESENCES = [
    "<presence/>", "<presence><show>dnd</show><priority>-1</priority></presence>", "<presence type='unavailable'/>",
    *(f"<presence type='{type}' to='{to}'/>"
      for type in ("subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe")
      for to in ("juliet@capulet.lit", "benvolio@montague.lit")),
    "<presence to='juliet@capulet.lit/balcony'/>", "<presence type='error'/>",
]  # fmt: skip


def _server() -> list[bytes]:
    asked = [
        f"<iq type='{type}' id='1'{to}>{payload}</iq>"
        for payload in REQUESTS
        for type in ("get", "set")
        for to in ("", " to='capulet.lit'")
    ]
    joined = [STEP.decode("latin-1").join(group) for group in (asked, PRESENCES, NONZAS, CHILDREN)]
    return [text.encode("latin-1") for text in chain(asked, PRESENCES, NONZAS, CHILDREN, joined)]


def _stream() -> list[bytes]:
    situations = range(len(OPTIONS) * len(BEGINNINGS))
    return [bytes([situation]) + STEP.join([step.encode(), b"", b""]) for situation in situations for step in STEPS]


SEEDS: dict[str, list[bytes]] = {
    "parser": [header.raw + child.encode() for header in HEADERS for child in CHILDREN]
    + [USUAL.raw + "".join(CHILDREN[:4]).encode() + END.encode()],
    "dribble": dribble.seeds(),
    "stream": _stream(),
    "server": _server(),
    "rooms": rooms.seeds(),
    "address": [
        b"juliet@capulet.lit/balcony",
        "J\u00fcliet@\u00c9x.lit/\U0001f339 x".encode(),
        b"a@[::1]/b",
        b"a@b./c",
    ],
}
