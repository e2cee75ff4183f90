"""What a session sees: its own flows, what should not have come to it, and what is other people's."""

from __future__ import annotations

from cluster.lab.verify.content import Content, Form
from cluster.lab.verify.records import FlowRecord, Leg
from cluster.lab.verify.witness import Book, Flight, Witness
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Kind
from tests.unit.lab.verify.slices import slice_of

ROMEO, JULIET, NURSE = (
    Jid.parse(text) for text in ("romeo@montague.lit/a", "juliet@capulet.lit/b", "nurse@capulet.lit/c")
)
GIVERS = {"juliet@capulet.lit", "capulet.lit"}


class World:
    """One flow from romeo to juliet, of which ten stanzas were sent."""

    def __init__(self, kind: Kind = "message", sender: Jid = ROMEO) -> None:
        self.book = Book("cafe")
        self.record = FlowRecord("romeo → juliet", self.book.prefix(0))
        self.content = Content(kind, self.record.prefix, JULIET, 200, is_followed=False)
        self.book.flights.append(Flight(self.record, self.content, sender))
        self.book.sessions.update(map(str, (ROMEO, JULIET, NURSE)))
        for number in range(10):
            self.record.send(float(number))
        self.leg = Leg(self.record)

    def witness(self, jid: Jid, form: Form | None = None) -> Witness:
        witness = Witness(self.book, jid, GIVERS)
        if form is not None:
            witness.expect(0, form, self.leg)
        return witness

    def raw(self, sequence: int = 3, sender: Jid = ROMEO) -> str:
        """As a server hands it on."""
        raw = self.content.stanza(sequence).raw.decode()
        kind = self.content.kind
        return raw.replace(f"<{kind}", f'<{kind} from="{sender}"', 1)

    def arrivals(self) -> list[tuple[int, str]]:
        return [(each.sequence, each.difference) for each in self.leg.arrivals()]


def test_what_is_for_it_arrives() -> None:
    world = World()
    assert world.witness(JULIET, "direct").see(slice_of(world.raw()), 1.0) is None
    assert world.arrivals() == [(3, "")]


def test_what_was_altered_arrives_altered_even_with_another_id() -> None:
    world = World()
    witness = world.witness(JULIET, "direct")
    witness.see(slice_of(world.raw().replace(" id='cafe.0.3'", " id='none'")), 1.0)
    witness.see(slice_of(world.raw().replace("type='chat'", "type='error'")), 1.0)
    assert world.arrivals() == [(3, "id is 'none', not 'cafe.0.3'"), (3, "type is 'error', not 'chat'")]


def test_a_bystander_gets_nothing() -> None:
    world = World()
    world.witness(NURSE).see(slice_of(world.raw()), 1.0)
    assert [(each.sequence, each.where) for each in world.record.misdelivered] == [(3, str(NURSE))]


def test_the_receiver_of_another_flow_is_a_bystander_too() -> None:
    world = World()
    world.witness(JULIET, "carbon").see(slice_of(world.raw()), 1.0)
    assert len(world.record.misdelivered) == 1


def test_other_peoples_stanzas_are_left_alone() -> None:
    world = World()
    witness = world.witness(JULIET, "direct")
    witness.see(slice_of("<message from='mercutio@montague.lit/x' type='chat'><body>hi</body></message>"), 1.0)
    witness.see(slice_of(f"<presence from='{ROMEO}'/>"), 1.0)
    assert (world.arrivals(), world.record.misdelivered, world.book.strays) == ([], [], [])


def test_between_sessions_of_the_run_nothing_else_may_come() -> None:
    world = World()
    witness = world.witness(JULIET, "direct")
    witness.see(slice_of(f"<message from='{ROMEO}' id='x' type='chat'><body>hi</body></message>"), 1.0)
    witness.see(slice_of("<message from='a@b' type='chat' id='cafe.0.99'><body/></message>"), 1.0)  # never sent
    assert len(world.book.strays) == 2


def test_an_error_for_the_sender_is_a_bounce() -> None:
    world = World()
    witness = world.witness(ROMEO)
    witness.sends.add(0)
    error = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    witness.see(slice_of(f"<message from='{JULIET}' type='error' id='cafe.0.3'>{error}</message>"), 1.0)
    assert world.record.bounced == {3: "gone"}


def test_an_iq_is_answered_with_what_it_asked() -> None:
    world = World("iq")
    answer = world.witness(JULIET, "direct").see(slice_of(world.raw()), 1.0)
    assert answer is not None
    assert (answer.type, answer.to, answer.id) == ("result", ROMEO, "cafe.0.3")
    assert world.arrivals() == [(3, "")]
    answers = Leg(world.record, "answers", after=world.leg)
    asker = Witness(world.book, ROMEO, GIVERS)
    asker.sends.add(0)
    asker.expect(0, "answer", answers)
    raw = answer.raw.decode().replace("<iq", f"<iq from='{JULIET}'", 1)
    asker.see(slice_of(raw), 2.0)
    asker.see(slice_of(raw.replace("cafe.0.3 x", "cafe.0.3 y")), 2.0)
    first, second = answers.arrivals()
    assert (first.sequence, first.difference) == (3, "")
    assert "query was altered" in second.difference


def carbon(inner: str, to: Jid, direction: str = "received") -> str:
    inner = inner.replace("<message", "<message xmlns='jabber:client'", 1)
    wrapped = f"<{direction} xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>{inner}</forwarded>"
    return f"<message from='{to.bare}' to='{to}' type='chat'>{wrapped}</{direction}></message>"


def test_a_carbon_is_compared_with_what_was_sent() -> None:
    world = World()
    witness = world.witness(NURSE, "carbon")
    witness.see(slice_of(carbon(world.raw(), NURSE)), 1.0)
    witness.see(slice_of(carbon(world.raw().replace("xxx", "yyy"), NURSE, "sent")), 1.0)
    witness.see(slice_of(carbon(world.raw(), NURSE).replace("from='nurse", "from='mercutio")), 1.0)
    (_, one), (_, other), (_, forged) = world.arrivals()
    assert one == ""
    assert "body was altered" in other
    assert "from of the carbon is 'mercutio@capulet.lit'" in forged


def test_a_carbon_for_a_session_that_wants_none_is_misdelivered() -> None:
    world = World()
    world.witness(NURSE).see(slice_of(carbon(world.raw(), NURSE)), 1.0)
    assert [each.where for each in world.record.misdelivered] == [f"{NURSE}, in a carbon,"]


def test_of_a_text_from_a_phone_only_sender_and_words_count() -> None:
    phone = Jid.parse("+39333@sms.montague.lit")
    world = World(sender=phone)
    witness = world.witness(JULIET, "direct")
    body = f"<body>{world.content.text(3)}</body>"
    sent = f"<message from='{phone}' to='{JULIET.bare}' type='chat' id='sms-1'>{body}</message>"
    witness.see(slice_of(sent), 1.0)
    witness.see(slice_of(sent.replace("+39333", "+39444")), 1.0)
    witness.see(slice_of(sent.replace("xxx", "xyx")), 1.0)
    (_, same), (_, other), (_, altered) = world.arrivals()
    assert same == ""
    assert "from is '+39444@sms.montague.lit'" in other
    assert "body was altered" in altered


def test_a_message_that_a_gateway_gives_again_has_its_id_and_another_stanza_id() -> None:
    world = World(sender=Jid.parse("friar\\40abbey.example@mail.montague.lit"))
    witness = world.witness(JULIET, "direct")
    words = world.content.text(3)
    for id, stanza_id in (("x", "one"), ("x", "two"), ("y", "three")):
        given = f"<stanza-id xmlns='urn:xmpp:sid:0' by='capulet.lit' id='{stanza_id}'/>"
        witness.see(slice_of(f"<message id='{id}'><body>{words}</body>{given}</message>"), 1.0)
    first, again, other = (each.stanza_id for each in world.leg.arrivals())
    assert first == again != other


def test_a_stanza_id_tells_copies_whatever_their_ids() -> None:
    world = World()
    witness = world.witness(JULIET, "direct")
    for stanza_id in ("one", "one", "two"):
        given = f"<stanza-id xmlns='urn:xmpp:sid:0' by='capulet.lit' id='{stanza_id}'/></message>"
        witness.see(slice_of(world.raw().replace("</message>", given)), 1.0)
    first, again, other = (each.stanza_id for each in world.leg.arrivals())
    assert first == again != other
