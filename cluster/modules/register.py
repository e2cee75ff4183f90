"""In-Band Registration (XEP-0077): create an account, change its password, remove it."""

from __future__ import annotations

from cluster.host.module import Peer
from cluster.server.context import ModuleContext, ServerModule
from cluster.server.sessions.session import Session
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions import data_form
from cluster.xmpp.jid import JidError, prepare_localpart
from cluster.xmpp.namespaces import REGISTER
from cluster.xmpp.stanza import Stanza

module = ServerModule("register", ns=REGISTER, xep=77, version="2.4")


@module.stream_feature("before login")
def offer(ctx: ModuleContext) -> Element | None:
    """Offered if registration is open (section 8)."""
    return Element("{http://jabber.org/features/iq-register}register") if ctx.registration else None


@module.on_iq("get", "query", addressed_to=("stream",))
def show_form(ctx: ModuleContext, iq: Stanza, peer: Peer) -> Stanza:
    """The required fields: a name and a password (section 3.1)."""
    _check_open(ctx)
    return iq.reply(_query("Choose a name and a password for your account here."))


@module.on_iq("set", "query", addressed_to=("stream",))
async def make_account(ctx: ModuleContext, iq: Stanza, peer: Peer) -> Stanza:
    """Create an account for a stream without a login (section 3.1)."""
    _check_open(ctx)
    query = iq.payload()
    if query.find(f"{{{REGISTER}}}remove") is not None:
        raise StanzaError(Condition.UNEXPECTED_REQUEST, "log in to remove your account")
    localpart, password = _login(query, Condition.NOT_ACCEPTABLE)
    if not ctx.registrations.take(peer.address):  # before deriving keys, which is expensive
        text = f"too many registrations from {peer.address} (topology: registrations_per_minute)"
        raise StanzaError(Condition.RESOURCE_CONSTRAINT, text)
    try:
        created = await ctx.credentials.create(localpart, password)
    except ValueError as error:
        raise StanzaError(Condition.NOT_ACCEPTABLE, str(error)) from None
    if not created:
        raise StanzaError(Condition.CONFLICT, f"{localpart}@{ctx.domain} exists already")
    return iq.reply()


@module.on_iq("get", "query", addressed_to=("own", "domain"))
def show_registration(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """A client that is logged in is registered, and may change its password (section 3.1)."""
    session = _own_session(ctx, iq)
    instructions = "You are registered. Send your name and a new password to change it, or <remove/>."
    return iq.reply(_query(instructions, session.jid.localpart))


@module.on_iq("set", "query", addressed_to=("own", "domain"))
async def change_account(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """Change the account's own password, or remove the account (sections 3.2 and 3.3)."""
    session = _own_session(ctx, iq)
    localpart = session.account.jid.localpart
    query = iq.payload()
    if query.find(f"{{{REGISTER}}}remove") is not None:
        if len(query) != 1:
            raise StanzaError(Condition.BAD_REQUEST, "<remove/> must be the only element")
        await ctx.remove_account(localpart, lambda: session.send(iq.reply()))
        return iq.reply()  # the answer reaches nobody: the stream has ended
    named, password = _login(query, Condition.BAD_REQUEST)
    if named != localpart:
        raise StanzaError(Condition.NOT_ALLOWED, f"you are {localpart}, not {named}")
    if not ctx.password_changes.take(localpart):
        raise StanzaError(Condition.RESOURCE_CONSTRAINT, "the password was changed too often, try again in a minute")
    try:
        changed = await ctx.credentials.change(localpart, password)
    except ValueError as error:
        raise StanzaError(Condition.NOT_ACCEPTABLE, str(error)) from None
    if not changed:
        raise StanzaError(Condition.RESOURCE_CONSTRAINT, "another change of the account was under way; try again")
    return iq.reply()


def _query(instructions: str, registered: str = "") -> Element:
    """The fields, and for clients that show forms a form (sections 3.1 and 4); `registered`: the name of the
    account."""
    query = Element(f"{{{REGISTER}}}query")
    SubElement(query, f"{{{REGISTER}}}instructions").text = instructions
    if registered:
        SubElement(query, f"{{{REGISTER}}}registered")
    SubElement(query, f"{{{REGISTER}}}username").text = registered or None
    SubElement(query, f"{{{REGISTER}}}password")
    form = data_form.new("form", REGISTER, instructions)
    name = data_form.add(form, "username", "text-single", [registered] if registered else [], "Name")
    for field in (name, data_form.add(form, "password", "text-private", label="Password")):
        SubElement(field, f"{{{data_form.DATA}}}required")
    query.append(form)
    return query


def _check_open(ctx: ModuleContext) -> None:
    if not ctx.registration:  # section 3.1
        raise StanzaError(Condition.SERVICE_UNAVAILABLE, "registration is closed here (topology: registration: open)")


def _own_session(ctx: ModuleContext, iq: Stanza) -> Session:
    session = ctx.session(iq.from_)
    if session is None:
        raise StanzaError(Condition.FORBIDDEN, "only an account of this domain may do that, for itself")
    if session.account.temporary:
        raise StanzaError(Condition.NOT_ALLOWED, "an anonymous account is not registered")
    return session


def _login(query: Element, incomplete: Condition) -> tuple[str, str]:
    form = query.find(f"{{{data_form.DATA}}}x")
    # the form counts, whatever fields are next to it (section 4)
    name, password = _submitted(form) if form is not None else _filled_in(query)
    if not name or not password:
        raise StanzaError(incomplete, "a name and a password are needed")
    try:
        return prepare_localpart(name), password
    except JidError as error:
        raise StanzaError(Condition.NOT_ACCEPTABLE, str(error)) from None


def _filled_in(query: Element) -> tuple[str | None, str | None]:
    return xml.text_of(query, f"{{{REGISTER}}}username"), xml.text_of(query, f"{{{REGISTER}}}password")


def _submitted(form: Element) -> tuple[str, str]:
    values = data_form.values(form)
    if form.get("type") != "submit" or values.get("FORM_TYPE", [REGISTER]) != [REGISTER]:
        raise StanzaError(Condition.BAD_REQUEST, f"a submitted form of the type {REGISTER} is needed")
    return "".join(values.get("username", [])), "".join(values.get("password", []))
