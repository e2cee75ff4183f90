"""In-Band Registration (XEP-0077): make an account, change its password, remove it."""

from __future__ import annotations

from cluster.server.context import ModuleContext
from cluster.server.module import Module
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import JidError, prepare_localpart
from cluster.xmpp.namespaces import REGISTER
from cluster.xmpp.stanza import Stanza

module = Module("register", ns=REGISTER, xep=77, version="2.4")
module.stream_feature = Element("{http://jabber.org/features/iq-register}register")


@module.on_iq("get", "query", addressed_to=("stream", "own", "domain"))
def show_form(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """What is needed: a name and a password; or, for who is logged in, that it is done (section 3.1)."""
    query = Element(f"{{{REGISTER}}}query")
    if iq.from_ is None:
        _check_open(ctx)
        SubElement(query, f"{{{REGISTER}}}instructions").text = "Choose a name and a password for your account here."
    else:
        SubElement(query, f"{{{REGISTER}}}registered")
    SubElement(query, f"{{{REGISTER}}}username").text = iq.from_.localpart if iq.from_ else None
    SubElement(query, f"{{{REGISTER}}}password")
    return iq.reply(query)


@module.on_iq("set", "query", addressed_to=("stream",))
async def make_account(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """A new account for a stream that is not logged in (section 3.1)."""
    _check_open(ctx)
    localpart, password = _login(iq)
    try:
        created = await ctx.credentials.create(localpart, password)
    except ValueError as error:
        raise StanzaError(Condition.NOT_ACCEPTABLE, str(error)) from None
    if not created:
        raise StanzaError(Condition.CONFLICT, f"{localpart}@{ctx.domain} exists already")
    return iq.reply()


@module.on_iq("set", "query", addressed_to=("own", "domain"))
async def change_account(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """The account's own password, or its end (sections 3.2 and 3.3)."""
    session = ctx.session(iq.from_)
    if session is None:
        raise StanzaError(Condition.FORBIDDEN, "only an account of this domain may do that, for itself")
    localpart = session.account.jid.localpart
    if iq.payload().find(f"{{{REGISTER}}}remove") is not None:
        session.send(iq.reply())  # before its stream ends
        await ctx.remove_account(localpart)
        return iq.reply()
    named, password = _login(iq)
    if named != localpart:
        raise StanzaError(Condition.NOT_ALLOWED, f"you are {localpart}, not {named}")
    try:
        await ctx.store.accounts.put(await ctx.credentials.account(localpart, password))
    except ValueError as error:
        raise StanzaError(Condition.NOT_ACCEPTABLE, str(error)) from None
    return iq.reply()


def _check_open(ctx: ModuleContext) -> None:
    if not ctx.registration:
        raise StanzaError(Condition.NOT_ALLOWED, "registration is closed here (topology: registration: open)")


def _login(iq: Stanza) -> tuple[str, str]:
    query = iq.payload()
    name = xml.text_of(query, f"{{{REGISTER}}}username")
    password = xml.text_of(query, f"{{{REGISTER}}}password")
    if not name or not password:
        raise StanzaError(Condition.NOT_ACCEPTABLE, "a name and a password are needed")
    try:
        return prepare_localpart(name), password
    except JidError as error:
        raise StanzaError(Condition.NOT_ACCEPTABLE, str(error)) from None
