"""Rooms for group chat (XEP-0045): a service of a server. Rooms are in memory, and are stored to survive a restart."""

from __future__ import annotations

from cluster.base.settled import Settled, until_settled
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
    """Load the stored rooms, and create those of the topology that are missing."""
    await rooms.of(ctx).load()
    await until_settled(make_rooms(rooms.of(ctx)))


@service.on_ready
def send_away(ctx: ServiceContext) -> None:
    """Tell the clients that were in a room when the server was killed that they are not in it any more."""
    found = rooms.of(ctx)
    for room in [*found.rooms.values()]:
        send_away_former(found, room)
        if not room.settings.is_persistent:
            ctx.clock.callLater(DESERTED_S, found.forget_if_deserted, room)


@service.on_stop
def say_goodbye(ctx: ServiceContext) -> None:
    """Tell all occupants that the service ends."""
    shut_down(rooms.of(ctx))


@service.on_presence
def presence(ctx: ServiceContext, stanza: Stanza) -> Settled:
    """Presence: a client enters, changes there, leaves, or cannot be reached."""
    return rooms.of(ctx).take(take_presence, stanza)


@service.on_message
def message(ctx: ServiceContext, stanza: Stanza) -> Settled:
    """Messages to all, to one occupant, or to the room itself."""
    return rooms.of(ctx).take(take_message, stanza)


@service.on_iq_to_resource
def request(ctx: ServiceContext, iq: Stanza) -> Settled:
    """Requests of occupants to one another."""
    return exchange.of(ctx).take(iq)


@module.on_iq("get", "query", ns=ADMIN, addressed_to=("account",))
def list_people(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """List who has a role or an affiliation."""
    return iq.reply(administration.listed(_room(ctx, iq), iq))


@module.on_iq("set", "query", ns=ADMIN, addressed_to=("account",))
async def change_people(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """Change roles and affiliations. The other occupants learn of a kick before the moderator gets the result, which
    says that the kick is stored. XEP-0045 section 8.2 shows the opposite order; Prosody and ejabberd do it as here."""
    await until_settled(administration.changed(rooms.of(ctx), _room(ctx, iq), iq))
    return iq.reply()


@module.on_iq("get", "query", ns=OWNER, addressed_to=("account",))
def show_configuration(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """Send the configuration form."""
    return iq.reply(configuration.shown(_room(ctx, iq), iq))


@module.on_iq("set", "query", ns=OWNER, addressed_to=("account",))
async def configure(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """Change the configuration, or destroy the room."""
    await until_settled(configuration.changed(rooms.of(ctx), _room(ctx, iq), iq))
    return iq.reply()


def _room(ctx: ServiceContext, iq: Stanza) -> Room:
    assert iq.to is not None
    return rooms.of(ctx).room(iq.to.localpart)
