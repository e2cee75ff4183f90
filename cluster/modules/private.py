"""Private XML Storage (XEP-0049): data of an account's clients, such as bookmarks."""

from __future__ import annotations

from twisted.internet.defer import Deferred, gatherResults

from cluster.server.context import ModuleContext, ServerModule
from cluster.server.im.kept import tell_kept
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.stanza import Stanza

NS = "jabber:iq:private"
MAX_BYTES = 65_536
"""Of the data under one name."""

module = ServerModule("private", ns=NS, xep=49, version="1.2")


@module.on_iq("get", "query", addressed_to=("own",))
async def fetch(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """The data under the name of the element in the request, or that element if there is none (section 2.3)."""
    assert iq.from_ is not None
    query = iq.payload()
    if len(query) != 1:
        raise StanzaError(Condition.BAD_REQUEST, "ask for one element")
    document = await ctx.store.documents.get(iq.from_.localpart, _name(query[0]))
    return iq.reply(query if document is None else xml.parse(document))


@module.on_iq("set", "query", addressed_to=("own",))
async def keep(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """Store the elements, in place of earlier ones with their names (section 2.3)."""
    assert iq.from_ is not None
    documents: dict[str, Element] = {}
    for child in iq.payload():
        documents.setdefault(_name(child), Element(f"{{{NS}}}query")).append(child)
    if not documents:
        raise StanzaError(Condition.NOT_ACCEPTABLE, "no element to store")
    texts = {name: xml.serialize(document) for name, document in documents.items()}
    if any(len(text) > MAX_BYTES for text in texts.values()):
        raise StanzaError(Condition.POLICY_VIOLATION, f"at most {MAX_BYTES} bytes are kept under one name")
    limit, put = ctx.limits.private, ctx.store.documents.put
    puts = [put(iq.from_.localpart, name, text, limit) for name, text in texts.items()]
    # all at once: none may be stored after the account is removed
    if not all(await gatherResults([Deferred.fromCoroutine(each) for each in puts], consumeErrors=True)):
        kept = f"{limit.count} elements of {limit.size_bytes} bytes (topology: private_bytes)"
        raise StanzaError(Condition.RESOURCE_CONSTRAINT, f"an account keeps at most {kept}")
    for document in documents.values():
        await tell_kept(ctx, iq.from_, document)
    return iq.reply()


@module.on_iq("get", "query", addressed_to=("account",))
@module.on_iq("set", "query", addressed_to=("account",))
def refuse(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """Nobody sees or changes the data of others (section 2.3)."""
    raise StanzaError(Condition.FORBIDDEN, "this is another account's")


def _name(element: Element) -> str:
    namespace, name = xml.split(element.tag)
    if namespace in ("", NS):
        raise StanzaError(Condition.NOT_ACCEPTABLE, f"<{name}> needs a namespace of its own")
    return f"private {namespace} {name}"
