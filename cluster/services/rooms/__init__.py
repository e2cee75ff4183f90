"""Rooms for group chat (XEP-0045): a service of a server, in memory and kept across its process."""

from __future__ import annotations

from cluster.base.settled import Settled
from cluster.server.services.service import Service, ServiceContext, ServiceModule, ServiceState
from cluster.services.rooms import administration, archive, avatar, configuration, description, registration
from cluster.services.rooms.directory import rooms
from cluster.services.rooms.entering import take_presence
from cluster.services.rooms.exchange import Exchange
from cluster.services.rooms.leaving import send_away_former, shut_down
from cluster.services.rooms.messages import take_message
from cluster.services.rooms.room import Room
from cluster.services.rooms.seeds import make_rooms
from cluster.services.rooms.settings import DESERTED_S, RoomsSettings
from cluster.xmpp.extensions.muc import ADMIN, MUC, OCCUPANT_ID, OWNER
from cluster.xmpp.stanza import Stanza

module = ServiceModule("rooms", ns=MUC, xep=45, version="1.35.3")
module.identity("conference", "text", "Rooms")
module.features |= {MUC, description.STABLE_ID, OCCUPANT_ID}
exchange = ServiceState(lambda ctx: Exchange(rooms.of(ctx)))

service = Service(
    "rooms",
    (module, description.module, registration.module, archive.module, archive.moderation, avatar.module),
    RoomsSettings,
)


@service.on_start
async def read_rooms(ctx: ServiceContext) -> None:
    """All that are kept are there, and those of the topology."""
    await rooms.of(ctx).load()
    settled = make_rooms(rooms.of(ctx))
    if settled is not None:
        await settled


@service.on_ready
def send_away(ctx: ServiceContext) -> None:
    """Who was in a room when the server was killed hears that it is not any more."""
    found = rooms.of(ctx)
    for room in [*found.rooms.values()]:
        send_away_former(found, room)
        if not room.settings.is_persistent:
            ctx.clock.callLater(DESERTED_S, found.forget_if_deserted, room)


@service.on_stop
def say_goodbye(ctx: ServiceContext) -> None:
    """All who are in rooms hear that the service ends."""
    shut_down(rooms.of(ctx))


@service.on_presence
def presence(ctx: ServiceContext, stanza: Stanza) -> Settled:
    """Who enters, leaves or is gone."""
    return rooms.of(ctx).take(take_presence, stanza)


@service.on_message
def message(ctx: ServiceContext, stanza: Stanza) -> Settled:
    """What is said, and what is asked of a room."""
    return rooms.of(ctx).take(take_message, stanza)


@service.on_iq_to_resource
def request(ctx: ServiceContext, iq: Stanza) -> Settled:
    """What occupants ask one another."""
    return exchange.of(ctx).take(iq)


@module.on_iq("get", "query", ns=ADMIN, addressed_to=("account",))
def list_people(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """Who has a role or an affiliation."""
    return iq.reply(administration.listed(_room(ctx, iq), iq))


@module.on_iq("set", "query", ns=ADMIN, addressed_to=("account",))
async def change_people(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """Other roles and affiliations. The others hear of a kick before its moderator hears that it is done and stored:
    XEP-0045 section 8.2 has it the other way round, Prosody and ejabberd as here."""
    return await _when_settled(iq, administration.changed(rooms.of(ctx), _room(ctx, iq), iq))


@module.on_iq("get", "query", ns=OWNER, addressed_to=("account",))
def show_configuration(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """The form."""
    return iq.reply(configuration.shown(_room(ctx, iq), iq))


@module.on_iq("set", "query", ns=OWNER, addressed_to=("account",))
async def configure(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """Another configuration, or the room's end."""
    return await _when_settled(iq, configuration.changed(rooms.of(ctx), _room(ctx, iq), iq))


def _room(ctx: ServiceContext, iq: Stanza) -> Room:
    assert iq.to is not None
    return rooms.of(ctx).room(iq.to.localpart)


async def _when_settled(iq: Stanza, settled: Settled) -> Stanza:
    if settled is not None:
        await settled
    return iq.reply()
