// A real client made with xmpp.js (ISC): node xmppjs_client.mjs MODULES JID PASSWORD HOST PORT
// It takes orders and reports as JSON lines, like slixmpp_client.py; NODE_EXTRA_CA_CERTS names the CA that it trusts.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [modules, jid, password, host, port] = process.argv.slice(2);
const { client, xml } = await import(pathToFileURL(`${modules}/@xmpp/client/index.js`));
const tell = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const [bare, resource] = jid.split("/");
const [username, domain] = bare.split("@");
const agent = xml("user-agent", { id: globalThis.crypto.randomUUID() }); // of this installation (XEP-0388)
let mechanism;
let entering;

const xmpp = client({
  service: `xmpp://${host}:${port}`,
  domain,
  resource,
  credentials: async (authenticate, mechanisms, fast) => {
    mechanism = mechanisms[0]; // its best of those that the server offers
    return authenticate({ username, password, token: await fast?.fetch() }, mechanism, agent);
  },
});
xmpp.reconnect.stop();

const present = (attributes) => Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
const roster = (query) =>
  Object.fromEntries(query.getChildren("item").map(({ attrs }) => [
    attrs.jid, { subscription: attrs.subscription, name: attrs.name ?? "", ask: attrs.ask ?? "" },
  ]));

xmpp.on("error", (error) => tell({ event: "refused", condition: error.condition ?? String(error) }));
xmpp.on("online", (address) =>
  tell({ event: "session", jid: address.toString(), mechanism, secure: xmpp.socket.socket.authorized === true }));
xmpp.on("send", (element) => {
  if (element.is("authenticate", "urn:xmpp:sasl:2"))
    tell({ event: "authenticate", mechanism: element.attrs.mechanism, with: element.getChildElements().map(({ name }) => name) });
});
xmpp.streamManagement.on("resumed", () => tell({ event: "resumed" }));
xmpp.on("disconnect", () => tell({ event: "disconnected" }));
xmpp.on("stanza", (stanza) => {
  const { from, id, type } = stanza.attrs;
  if (stanza.is("message")) {
    const condition = stanza.getChild("error")?.getChildElements()[0].name ?? null;
    const delayed = stanza.getChild("delay", "urn:xmpp:delay")?.attrs.stamp ?? null;
    tell({ event: "message", from, id, type, body: stanza.getChildText("body"), delayed, condition });
  } else if (stanza.is("presence")) {
    if (from === entering) tell({ event: "entered" });
    tell({ event: "presence", from, type: type ?? "available", status: stanza.getChildText("status") ?? "" });
  }
});
xmpp.iqCallee.set("jabber:iq:roster", "query", ({ element }) => {
  tell({ event: "roster", type: "set", items: roster(element) });
  return true;
});

const orders = {
  presence: ({ pto, ptype, pstatus }) =>
    xmpp.send(xml("presence", present({ to: pto, type: ptype }), pstatus && xml("status", {}, pstatus))),
  enter: ({ room, nick }) => {
    entering = `${room}/${nick}`;
    return xmpp.send(xml("presence", { to: entering }, xml("x", "http://jabber.org/protocol/muc")));
  },
  message: ({ to, body, type = "chat" }) => xmpp.send(xml("message", { to, type }, xml("body", {}, body))),
  roster: async () => {
    const items = roster(await xmpp.iqCaller.get(xml("query", "jabber:iq:roster")));
    tell({ event: "roster", type: "result", items });
  },
  roster_remove: ({ jid }) =>
    xmpp.iqCaller.set(xml("query", "jabber:iq:roster", xml("item", { jid, subscription: "remove" }))),
  ping: async ({ to }) => {
    await xmpp.iqCaller.request(xml("iq", { type: "get", to }, xml("ping", "urn:xmpp:ping")));
    tell({ event: "pong" });
  },
  archived: async () => {
    const bodies = [];
    const note = (stanza) => {
      const forwarded = stanza.getChild("result", "urn:xmpp:mam:2")?.getChild("forwarded", "urn:xmpp:forward:0");
      if (forwarded) bodies.push(forwarded.getChild("message").getChildText("body"));
    };
    xmpp.on("stanza", note);
    await xmpp.iqCaller.set(xml("query", "urn:xmpp:mam:2"));
    xmpp.off("stanza", note);
    tell({ event: "archived", bodies });
  },
  cut: () => xmpp.socket.socket.destroy(),
  reconnect: () => xmpp.reconnect.reconnect(),
  start: () => xmpp.start(),
  quit: () => xmpp.stop(),
};

createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const order = JSON.parse(line);
    try {
      await orders[order.do](order);
    } catch (error) {
      tell({ event: "refused", do: order.do, condition: error.condition ?? String(error) });
    }
  })
  .on("close", () => xmpp.stop().finally(() => process.exit(0)));
xmpp.start().catch(() => {}); // its error event tells
