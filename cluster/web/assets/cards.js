// What the map shows at places: a card for each domain and each foreign network, with nodes, gateways and people.

import { button, fill, h } from "./dom.js";
import { MOST_WHOLE } from "./layout.js";

/** Of the clients of a domain that the topology does not name. */
const MOST_GUESTS = 6;

export class Cards {
  /** By the name of the server or the network. */
  all = new Map();
  isLarge = false;
  #go;
  /** By the name of the node or person, or the address of the account. */
  #buttons = new Map();
  /** By domain: where accounts are shown that are online and not in the topology. */
  #guests = new Map();
  #named = new Set();

  /** `go`: `node(name)`, `talk(who)`. */
  constructor(go) {
    this.#go = go;
  }

  build({ domains, gateways, networks }) {
    for (const known of [this.all, this.#buttons, this.#guests, this.#named]) known.clear();
    this.isLarge = domains.length > MOST_WHOLE;
    for (const domain of domains) this.all.set(domain.server, this.isLarge ? this.#small(domain) : this.#domain(domain, gateways));
    for (const network of networks) this.all.set(network.name, this.isLarge ? this.#smallNetwork(network) : this.#network(network));
    return [...this.all.values()];
  }

  /** The button of a node or a person; where the map has none, the card of its place. */
  of(name, place) {
    return this.#buttons.get(name) ?? this.all.get(place);
  }

  #node(name, text = name, extra = "") {
    const element = button("", () => this.#go.node(name), { class: `node ${extra}`, "data-key": `node ${name}` });
    element.append(h("span", { class: "lamp", "aria-hidden": "true" }), h("span", {}, text), h("span", { class: "how" }));
    this.#buttons.set(name, element);
    return element;
  }

  #person(who, text) {
    const element = chip(who, text, () => this.#go.talk(who));
    this.#buttons.set(who, element);
    return element;
  }

  #domain({ server, domain, kind, nodes, accounts, more, services }, gateways) {
    const own = gateways.filter((gateway) => gateway.server === server);
    const guests = h("div", {});
    this.#guests.set(domain, guests);
    for (const name of accounts) this.#named.add(`${name}@${domain}`);
    return h("div", { class: "card domain", role: "group", "aria-label": domain },
      h("strong", {}, domain),
      h("div", {}, nodes.map((name) => this.#node(name, kind === "xmpplab" ? name : `${name} · ${kind}`))),
      h("div", {}, accounts.map((name) => this.#person(`${name}@${domain}`, name)), more ? h("span", { class: "dim" }, `+${more}`) : null),
      guests,
      h("div", {}, services.map(([name, what]) => h("span", { class: "chip still", title: name }, what))),
      h("div", {}, own.map((gateway) => this.#node(gateway.name, `${gateway.name} · ${gateway.kind} gateway`, "gateway"))));
  }

  #network({ name, kind, external, people, more }) {
    const what = external ? `${name} · real ${kind}` : `${name} · ${kind}`;
    return h("div", { class: "card network", role: "group", "aria-label": what },
      h("div", {}, external ? h("strong", {}, what) : this.#node(name, what)),
      h("div", {}, Object.entries(people).map(([person, address]) => this.#person(person, `${person} ${address}`)), more ? h("span", { class: "dim" }, `+${more}`) : null));
  }

  #small({ domain, nodes }) {
    const card = this.#node(nodes[0], domain, "card small");
    card.title = `${domain} (${nodes.join(", ")})`;
    return card;
  }

  #smallNetwork({ name, kind, external }) {
    return external ? h("div", { class: "card small" }, name) : this.#node(name, `${name} · ${kind}`, "card small network");
  }

  /** `node`: its value in the state; undefined: it was not there. */
  showNode(name, node) {
    const element = this.#buttons.get(name);
    if (!element) return;
    const now = node?.state ?? "absent";
    element.dataset.state = now;
    element.querySelector(".how").textContent = now === "running" ? "" : now;
    element.setAttribute("aria-label", [element.children[1].textContent, node?.kind, now].filter(Boolean).join(", "));
  }

  /** Who is online where: `online` has the nodes of each account that has a client, and the network of each phone or
   * mailbox; `known` the domains and networks that tell. Returns whether a card has changed its size. */
  showPeople({ domains, networks }, online, known) {
    for (const { domain, nodes, accounts } of domains) {
      for (const name of accounts) light(this.#buttons.get(`${name}@${domain}`), known.has(domain) ? online.get(`${name}@${domain}`) ?? [] : null, nodes.length > 1);
    }
    for (const { name, people } of networks) for (const person of Object.keys(people)) light(this.#buttons.get(person), known.has(name) ? online.get(person) ?? [] : null);
    return [...this.#guests].map(([domain, row]) => this.#showGuests(domain, row, online)).some(Boolean);
  }

  #showGuests(domain, row, online) {
    const before = row.textContent;
    const found = [...online].filter(([who]) => who.endsWith(`@${domain}`) && !this.#named.has(who));
    const more = found.length - MOST_GUESTS;
    fill(row, found.slice(0, MOST_GUESTS).map(([who, at]) => light(chip(who, who.split("@")[0], () => this.#go.talk(who)), at)),
      more > 0 ? h("span", { class: "dim" }, `+${more} online`) : null);
    return row.textContent !== before;
  }
}

const chip = (who, text, onclick) => {
  const element = button("", onclick, { class: "chip", title: `chat as ${who}` });
  element.append(h("span", { class: "lamp", "aria-hidden": "true" }), h("span", {}, text), h("span", { class: "how" }));
  return element;
};

/** Show whether somebody is online, and at which nodes; null: nobody knows. */
function light(element, nodes, areSeveral = false) {
  if (!element) return element;
  const isOnline = nodes?.length > 0;
  element.dataset.online = nodes === null ? "unknown" : `${isOnline}`;
  element.querySelector(".how").textContent = isOnline && areSeveral ? nodes.join(", ") : "";
  const said = nodes === null ? "" : isOnline ? `online at ${nodes.join(", ")}` : "offline";
  const name = element.children[1].textContent;
  element.title = [element.title.split(";")[0], said].filter(Boolean).join("; ");
  element.setAttribute("aria-label", said ? `${name}, ${said}` : name);
  return element;
}
