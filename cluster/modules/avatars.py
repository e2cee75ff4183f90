"""User avatars in both places (XEP-0398): an avatar at the nodes of XEP-0084 is in the vCard too, and the other way.

Everybody can read the vCard, so only an avatar whose data is open to all is copied into it (section 7). An avatar that
is already there is not written again, so that the two conversions do not answer each other for ever.
"""

from __future__ import annotations

import base64
import hashlib

import msgspec
from twisted.internet.defer import DeferredLock

from cluster.base.settled import until_settled
from cluster.host.state import MemoryState
from cluster.pubsub.pep import Pep
from cluster.pubsub.publishing import Publication, publish
from cluster.pubsub.service import Change
from cluster.server.context import ModuleContext, ServerModule
from cluster.server.im.accounts import LocalAccount
from cluster.server.sessions.session import Session
from cluster.store.pubsub import Item
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import StanzaError
from cluster.xmpp.extensions.vcard import UPDATE, VCARD
from cluster.xmpp.stanza import Stanza

NS = "urn:xmpp:pep-vcard-conversion:0"
DATA, METADATA = "urn:xmpp:avatar:data", "urn:xmpp:avatar:metadata"
MAX_VCARD_BYTES = 131_072
"""Of a vCard with the avatar; a larger avatar stays at its nodes."""
_X, _PHOTO = f"{{{UPDATE}}}x", f"{{{UPDATE}}}photo"


def _to_element(hash: str) -> Element:
    element = Element(f"{{{NS}}}photo")
    element.text = hash
    return element


module = ServerModule("avatars", ns=NS, xep=398, version="1.0.0")
module.account_features = {NS}  # section 2
photo_hash = module.account_state(read=lambda stored: stored.text or "", write=_to_element, default="")
"""The SHA-1 of the avatar in the vCard, as presence tells it (XEP-0153 section 2); empty without one."""
turn: MemoryState[LocalAccount, DeferredLock] = MemoryState(lambda account: DeferredLock())
"""Changes of an account are converted one after the other."""


# --- from the nodes to the vCard (section 3.1)


@module.on("published")
async def copy_to_vcard(ctx: ModuleContext, account: LocalAccount, change: Change) -> bool:
    """The avatar of the account changed or was removed."""
    if change.node != METADATA or change.by == account.jid:  # otherwise it was converted from the vCard
        return False
    async with turn.of(account):
        await _follow(ctx, account, change.item)
    return False


async def _follow(ctx: ModuleContext, account: LocalAccount, item: Item | None) -> None:
    pep = Pep(ctx, account)
    if item is None:
        await _set_photo(ctx, account, None)
        return
    if not item.payload:  # an item without payload, which the node may allow, says nothing
        return
    metadata = xml.parse(item.payload)
    info = next((each for each in metadata.findall(f"{{{METADATA}}}info") if not each.get("url")), None)
    if info is None:
        if not len(metadata):  # XEP-0084 section 3.5
            await _set_photo(ctx, account, None)
        return
    node = pep.nodes.get(DATA)
    if node is None or node.config.access_model != "open":  # section 7
        return
    found = await pep.store.find(pep.owner, DATA, [info.get("id", "")])
    image = _decoded(xml.parse(found[0].payload).text) if found and found[0].payload else None
    if image is not None and hashlib.sha1(image).hexdigest() == info.get("id", "").lower():
        await _set_photo(ctx, account, (info.get("type", "image/png"), image))


async def _set_photo(ctx: ModuleContext, account: LocalAccount, photo: tuple[str, bytes] | None) -> None:
    """Write it into the vCard, then tell of it."""
    hash = "" if photo is None else hashlib.sha1(photo[1]).hexdigest()
    if hash == photo_hash.of(account):
        return
    document = await ctx.store.documents.get(account.jid.localpart, VCARD)
    vcard = Element(f"{{{VCARD}}}vCard") if document is None else xml.parse(document)
    for old in vcard.findall(f"{{{VCARD}}}PHOTO"):
        vcard.remove(old)
    if photo is not None:
        new = SubElement(vcard, f"{{{VCARD}}}PHOTO")
        SubElement(new, f"{{{VCARD}}}TYPE").text = photo[0]
        SubElement(new, f"{{{VCARD}}}BINVAL").text = base64.b64encode(photo[1]).decode()
    written = xml.serialize(vcard)
    if account.is_removed or len(written) > MAX_VCARD_BYTES:
        return
    await ctx.store.documents.put(account.jid.localpart, VCARD, written if len(vcard) else b"")
    await _tell(ctx, account, hash)


# --- from the vCard to the nodes (section 3.2)


@module.on("kept")
async def copy_to_nodes(ctx: ModuleContext, account: LocalAccount, vcard: Element) -> bool:
    """A client has set a vCard, with another avatar or with none."""
    if vcard.tag != f"{{{VCARD}}}vCard":
        return False
    async with turn.of(account):
        await _publish_photo(ctx, account, vcard)
    return False


async def _publish_photo(ctx: ModuleContext, account: LocalAccount, vcard: Element) -> None:
    image = _decoded(vcard.findtext(f"{{{VCARD}}}PHOTO/{{{VCARD}}}BINVAL"))
    hash = hashlib.sha1(image).hexdigest() if image else ""
    if hash == photo_hash.of(account):
        return
    await _tell(ctx, account, hash)
    try:
        if image:
            type = vcard.findtext(f"{{{VCARD}}}PHOTO/{{{VCARD}}}TYPE") or "image/png"
            await _publish(ctx, account, hash, image, type)
        else:
            await _put(Pep(ctx, account), METADATA, "current", Element(f"{{{METADATA}}}metadata"))
    except StanzaError:
        pass  # there is no room for it at the nodes; the vCard itself is kept


async def _publish(ctx: ModuleContext, account: LocalAccount, hash: str, image: bytes, type: str) -> None:
    pep = Pep(ctx, account)
    data = Element(f"{{{DATA}}}data")
    data.text = base64.b64encode(image).decode()
    await _put(pep, DATA, hash, data)
    metadata = Element(f"{{{METADATA}}}metadata")
    SubElement(metadata, f"{{{METADATA}}}info", bytes=str(len(image)), id=hash, type=type)
    await _put(pep, METADATA, hash, metadata)


async def _put(pep: Pep, node: str, id: str, payload: Element) -> None:
    """Publish for the account; a new node is as public as its vCard."""
    options = None if node in pep.nodes else {"pubsub#access_model": ["open"]}
    await publish(pep, Publication.of(node, pep.jid, id, payload, options))


def _decoded(text: str | None) -> bytes | None:
    """What is in Base64, with line breaks or without (XEP-0084 section 4.1)."""
    try:
        return base64.b64decode("".join((text or "").split()), validate=True)
    except ValueError:  # binascii.Error too
        return None


# --- in presence (section 4)


async def _tell(ctx: ModuleContext, account: LocalAccount, hash: str) -> None:
    """Store the hash of the avatar in the vCard, and broadcast presence with it."""
    photo_hash.set(account, hash)
    await photo_hash.save(ctx.store.documents, account)
    for session in account.available:
        before = session.presence
        assert before is not None  # it is available
        after = with_hash(before, hash)
        if after is not before:
            session.changed()
            await until_settled(ctx.presence.broadcast(session, after))


@module.on_presence("leaving")
def put_hash(ctx: ModuleContext, session: Session, presence: Stanza) -> Stanza:
    """Add the hash to presence, also to a room, of clients that do not know the avatar of their account."""
    hash = photo_hash.of(session.account)
    return with_hash(presence, hash) if hash else presence


def with_hash(presence: Stanza, hash: str) -> Stanza:
    """The presence with the hash; unchanged if it has it already or its client is not ready (XEP-0153)."""
    if f"{UPDATE} x" not in presence.payloads:
        end = f"<x xmlns='{UPDATE}'><photo>{hash}</photo></x>".encode()
        raw = presence.raw
        if presence.payloads or raw.endswith(b"</presence>"):
            at = raw.rindex(b"</")
            raw = raw[:at] + end + raw[at:]
        else:
            raw = raw[: raw.rindex(b"/>")] + b">" + end + b"</presence>"
        return msgspec.structs.replace(presence, payloads=(*presence.payloads, f"{UPDATE} x"), raw=raw)
    tree = presence.tree
    x = tree.find(_X)
    assert x is not None  # of its payloads
    photo = x.find(_PHOTO)
    if photo is not None and (photo.text or "") in ("", hash):
        return presence
    if photo is None:
        photo = SubElement(x, _PHOTO)
    photo.text = hash
    return msgspec.structs.replace(presence, raw=xml.serialize(tree))
