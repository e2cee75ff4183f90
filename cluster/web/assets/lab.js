// The tab "Lab": an overview, or what is selected on the map.

import { Outcome } from "./act.js";
import { button, fill, h } from "./dom.js";
import { LinkPanel } from "./link.js";
import { NodePanel } from "./node.js";
import { done, isDown, noLinks, of, plan } from "./store.js";
import { clock, faultsInShort } from "./words.js";

const MOST_ROWS = 60;

export class LabView {
  #root;
  #go;
  #panel = null;

  constructor(root, go) {
    this.#root = root;
    this.#go = go;
    this.overview = new Overview(go);
    this.#show(null);
  }

  node(name) {
    this.#show(new NodePanel(name, this.#go));
  }

  link(one, other) {
    this.#show(new LinkPanel(one, other, this.#go));
  }

  all() {
    this.#show(null);
  }

  update(event) {
    (this.#panel ?? this.overview).update(event);
  }

  #show(panel) {
    this.#panel?.close();
    this.#panel = panel;
    const back = panel && button("‹ the whole lab", () => this.#go.all(), { class: "back" });
    this.#root.replaceChildren(...[back, (panel ?? this.overview).element].filter(Boolean));
    this.update({ state: { plan: null, all: null } });
  }
}

class Overview {
  #go;

  constructor(go) {
    this.#go = go;
    this.outcome = new Outcome();
    this.guide = h("section", {});
    this.filter = h("input", { type: "search", placeholder: "filter", "aria-label": "Filter nodes and links", oninput: () => this.update() });
    this.nodes = h("ul", { class: "rows" });
    this.links = h("ul", { class: "rows" });
    this.heal = button("Clear all faults", () => this.outcome.run({ do: "fault_clear" }, this.heal, "no link has a fault now"));
    this.done = h("ul", { class: "rows log" });
    this.element = h("div", {}, this.guide,
      h("section", {}, h("h2", {}, "Nodes"), this.filter, this.nodes),
      h("section", {}, h("h2", {}, "Links"), this.links, h("div", { class: "buttons" }, this.heal), this.outcome.element),
      h("section", {}, h("h2", {}, "Done to this lab"), this.done));
  }

  close() {}

  update(event = { state: { all: null }, said: [{ what: "done" }] }) {
    const words = new Set(Object.keys(event.state ?? {}).map((key) => key.split(" ", 1)[0]));
    if (words.has("plan") || words.has("lab")) this.#guide();
    if (words.has("all") || words.has("plan") || words.has("node")) this.#nodes();
    if (words.has("all") || words.has("plan") || words.has("lab") || words.has("link")) this.#links();
    if (words.has("all") || event.said?.some((said) => said.what === "done")) this.#done();
  }

  /** The first steps, for somebody who never saw this. */
  #guide() {
    const [from, to] = plan().demonstration ?? [];
    if (!from || isDown()) return void fill(this.guide);
    const one = this.#serverOf(from), other = this.#serverOf(to);
    fill(this.guide, h("h2", {}, "Try it"), h("ol", { class: "guide" },
      h("li", {}, button(`Chat as ${from} and ${to}`, () => this.#go.talk(from, to)), " and send a message from one to the other: watch it cross the map. ", h("b", {}, "Lab"), " leads back here."),
      h("li", {}, button(`Open the link ${one} – ${other}`, () => this.#go.link(one, other)), " and cut it. The next message of the ", h("b", {}, "Chat"), " waits."),
      h("li", {}, "Ask ", h("b", {}, "Why?"), " beside the message: the lab says where it waits, why, and what to do."),
      h("li", {}, button("Open the link again", () => this.#go.link(one, other)), " and heal it: what waited arrives.")));
  }

  #serverOf(jid) {
    const domain = jid.split("@")[1];
    return plan().domains.find((each) => each.domain === domain)?.server ?? "";
  }

  #nodes() {
    const wanted = this.filter.value.trim().toLowerCase();
    const named = new Map(plan().domains.flatMap(({ domain, nodes }) => nodes.map((node) => [node, domain])));
    for (const { name, domain } of plan().gateways) named.set(name, domain);
    const rows = [...of("node")].map(([name, node]) => [name, named.get(name) ?? "", node]);
    const found = rows.filter(([name, domain]) => `${name} ${domain}`.toLowerCase().includes(wanted));
    found.sort((one, other) => (one[2].state === "running") - (other[2].state === "running"));
    const more = found.length - MOST_ROWS;
    fill(this.nodes, found.slice(0, MOST_ROWS).map(([name, domain, node]) => this.#node(name, domain || node.kind, node.state)),
      more > 0 ? h("li", { class: "dim" }, `and ${more} more: filter`) : null);
    this.filter.hidden = rows.length <= 12;
  }

  #node(name, what, state) {
    const row = button("", () => this.#go.node(name), { class: "row", "data-state": state });
    row.append(h("span", { class: "lamp", "aria-hidden": "true" }), h("b", {}, name), h("span", {}, what), h("span", { class: "dim" }, state));
    return h("li", {}, row);
  }

  #links() {
    const wanted = this.filter.value.trim().toLowerCase();
    const found = [...of("link")].map(([, link]) => link).filter((link) => `${link.from} ${link.to}`.toLowerCase().includes(wanted));
    const weight = (link) => (Object.keys(link.faults).length ? 2 : 0) + (link.waiting ? 1 : 0);
    found.sort((one, other) => weight(other) - weight(one));
    const more = found.length - MOST_ROWS;
    fill(this.links, found.slice(0, MOST_ROWS).map((link) => this.#link(link)),
      found.length ? null : h("li", { class: "dim" }, noLinks()),
      more > 0 ? h("li", { class: "dim" }, `and ${more} more: filter`) : null);
    this.heal.hidden = !found.some((link) => Object.keys(link.faults).length);
  }

  #link({ from, to, faults, waiting }) {
    const row = button("", () => this.#go.link(from, to), { class: "row" });
    row.append(h("b", {}, `${from} → ${to}`), h("span", { class: "bad" }, faultsInShort(faults)), h("span", { class: "dim" }, waiting ? `${waiting} waiting` : ""));
    return h("li", {}, row);
  }

  #done() {
    fill(this.done, done.map(({ at, command, error }) => h("li", {}, h("span", { class: "dim" }, clock(at)), " ", h("code", {}, command), error ? h("span", { class: "bad" }, ` ${error}`) : null)),
      done.length ? null : h("li", { class: "dim" }, "nothing yet"));
  }
}

