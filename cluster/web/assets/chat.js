// The tab "Chat": accounts, phones and mailboxes of the lab beside each other, with the XML of the accounts.

import { ask } from "./api.js";
import { Outcome } from "./act.js";
import { button, field, fill, h } from "./dom.js";
import { bare, traces } from "./store.js";
import { clock } from "./words.js";

const MOST_EVENTS = 300;
const NEAR_MS = 3000;
const SAMPLE = "<iq type='get' id='v1' to='capulet.lit'>\n  <query xmlns='jabber:iq:version'/>\n</iq>";

export class ChatView {
  #go;
  #panes = new Map();
  #people = [];
  /** Events of panes that are just being opened. */
  #early = [];

  constructor(root, go) {
    this.#go = go;
    this.outcome = new Outcome();
    this.names = h("datalist", { id: "people" });
    this.addresses = h("datalist", { id: "addresses" });
    this.who = h("input", { type: "text", list: "people", required: true, autocomplete: "off", spellcheck: "false", placeholder: "romeo@montague.lit", oninput: () => this.#asksPassword() });
    this.password = h("input", { type: "password", autocomplete: "off" });
    this.secret = field("password", this.password);
    this.secret.hidden = true;
    const open = h("button", { type: "submit", class: "primary" }, "Open");
    this.form = h("form", { class: "line", onsubmit: (event) => { event.preventDefault(); this.open(this.who.value.trim()); } },
      field("chat as", this.who), this.secret, open);
    this.hint = h("p", { class: "dim" }, "Open any two accounts, phones or mailboxes, and let them write to each other.");
    this.panes = h("div", { class: "panes" });
    root.append(this.form, this.names, this.addresses, this.outcome.element, this.hint, this.panes);
  }

  /** The panes that are open at the server, after a load of the page. */
  async restore() {
    try {
      const { answer } = await ask({ do: "chat_ls" });
      const open = new Set(answer.map((pane) => pane.pane));
      for (const number of this.#panes.keys()) if (!open.has(number)) this.#remove(number);
      for (const pane of answer) this.#add(pane);
    } catch { /* the banner says what is wrong */ }
  }

  async load() {
    try {
      this.#people = (await ask({ do: "people" })).answer;
      const named = (value, kind, name) => h("option", { value }, kind === "account" ? "" : `${kind} ${name}`);
      fill(this.names, this.#people.filter(({ kind }) => kind !== "room").map(({ who, kind, jid }) => named(who, kind, jid)));
      fill(this.addresses, this.#people.map(({ who, kind, jid }) => named(jid ?? who, kind, who)));
    } catch { /* names can be typed */ }
    this.#asksPassword();
  }

  #asksPassword() {
    const found = this.#people.find((each) => each.who === this.who.value.trim());
    this.secret.hidden = !found || found.known;
  }

  /** Log in as `who`, to write to `peer` at first. */
  async open(who, peer = "") {
    if (this.#find(who)) return this.#find(who).focus(peer);
    const pressed = this.form.querySelector("button");
    const known = this.#people.find((each) => each.who === who)?.known ?? true;
    if (!known && !this.password.value) {
      this.who.value = who;
      this.#asksPassword();
      this.password.focus();
      return this.outcome.show(`the topology has no password for ${who}: type it`, "", "bad");
    }
    const pane = await this.outcome.run({ do: "chat_open", who, ...(this.password.value && !this.secret.hidden ? { password: this.password.value } : {}) }, pressed, `${who} is online`);
    if (!pane) return;
    if (this.who.value.trim() === who) {
      this.who.value = this.password.value = "";
      this.secret.hidden = true;
    }
    this.#add(pane).focus(peer);
  }

  #find(who) {
    return [...this.#panes.values()].find((pane) => pane.jid === who);
  }

  update(event) {
    for (const said of event.said ?? []) {
      if (said.what === "done" && said.command.includes(" user ")) this.load();
      const pane = this.#panes.get(said.pane);
      if (pane) pane.take(said);
      else if (said.pane && this.#early.push(said) > MOST_EVENTS) this.#early.shift();
    }
  }

  #add(pane) {
    if (!this.#panes.has(pane.pane)) {
      const made = new Pane(pane, this.#go, () => this.#close(pane.pane));
      this.#panes.set(pane.pane, made);
      this.panes.prepend(made.element);
      this.hint.hidden = true;
      for (const said of this.#early) if (said.pane === pane.pane) made.take(said);
      this.#early = this.#early.filter((said) => said.pane !== pane.pane);
    }
    return this.#panes.get(pane.pane);
  }

  #remove(number) {
    this.#panes.get(number)?.element.remove();
    this.#panes.delete(number);
    this.hint.hidden = this.#panes.size > 0;
  }

  async #close(number) {
    try { await ask({ do: "chat_close", pane: number }); } catch { /* it is gone already */ }
    this.#remove(number);
  }
}

/** One conversation partner of the lab. */
class Pane {
  #seen = 0;

  constructor({ pane, jid, kind, events }, go, close) {
    this.number = pane;
    this.jid = jid;
    this.go = go;
    this.outcome = new Outcome();
    this.state = h("span", { class: "badge bad", role: "status", hidden: true });
    this.talk = h("ul", { class: "talk", tabindex: 0, "aria-label": `What ${jid} sees`, "aria-live": "polite" });
    this.xml = h("ul", { class: "xml", tabindex: 0, "aria-label": `The XML of ${jid}` });
    this.to = h("input", { type: "text", list: "addresses", required: true, spellcheck: "false", autocomplete: "off" });
    this.text = h("input", { type: "text", required: true, autocomplete: "off" });
    const send = h("button", { type: "submit", class: "primary" }, "Send");
    const talk = h("form", { class: "line", onsubmit: (event) => { event.preventDefault(); this.#say(send); } }, field("to", this.to), field("text", this.text), send);
    this.typed = h("textarea", { rows: 4, spellcheck: "false", "aria-label": "A stanza to send" });
    this.typed.value = SAMPLE;
    const raw = h("button", { type: "submit" }, "Send the stanza");
    const console = h("form", { onsubmit: (event) => { event.preventDefault(); this.#type(raw); } }, this.typed, raw);
    this.tabs = [[button("Messages", () => this.#show(0)), h("div", {}, this.talk, talk)], [button("XML", () => this.#show(1)), h("div", {}, this.xml, console)]];
    if (kind !== "account") this.tabs.pop();
    this.element = h("section", { class: "pane", "aria-label": jid },
      h("header", {}, h("b", {}, jid), this.state, this.tabs.length > 1 ? this.tabs.map(([tab]) => tab) : null, button("✕", close, { "aria-label": `Close ${jid}` })),
      this.tabs.map(([, body]) => body), this.outcome.element);
    this.#show(0);
    for (const event of events) this.take(event);
  }

  focus(peer = "") {
    if (peer) this.to.value = peer;
    this.element.scrollIntoView({ block: "nearest" });
    (this.to.value ? this.text : this.to).focus();
  }

  #show(which) {
    this.tabs.forEach(([tab, body], index) => {
      body.hidden = index !== which;
      tab.setAttribute("aria-pressed", index === which);
    });
    for (const list of [this.talk, this.xml]) list.scrollTop = list.scrollHeight;
  }

  async #say(pressed) {
    if (await this.outcome.run({ do: "chat_say", pane: this.number, to: this.to.value.trim(), text: this.text.value }, pressed, "")) this.text.value = "";
    this.text.focus();
  }

  #type(pressed) {
    return this.outcome.run({ do: "chat_xml", pane: this.number, xml: this.typed.value }, pressed, "");
  }

  take(event) {
    if (event.at <= this.#seen && event.at) return; // it came with the pane already
    this.#seen = event.at;
    const { what, who, text, way } = event;
    if (what === "xml") return this.#line(this.xml, h("li", { class: way }, h("span", { class: "dim" }, `${clock(event.at * 1000)} ${way === "in" ? "◂ in" : "▸ out"}`), h("pre", {}, text)));
    if (what === "connected" || what === "broken" || what === "ended") this.#state(what);
    const item = this.#words(event);
    if (what === "message" && !this.to.value) this.to.value = bare(who);
    if (item) this.#line(this.talk, h("li", { class: what }, h("span", { class: "dim" }, clock((event.sent_utc_s ?? event.at) * 1000)), " ", item));
  }

  #state(what) {
    this.state.textContent = { connected: "online", broken: "connecting again", ended: "ended" }[what];
    this.state.hidden = what === "connected";
  }

  #words({ what, who, text, at }) {
    switch (what) {
      case "said": return [h("b", {}, `to ${bare(who)}: `), text, " ", button("Why?", () => this.#why(who, at), { class: "why", title: "What became of it, and why" })];
      case "message": return [h("b", {}, `${who}: `), text];
      case "presence": case "subscription": return h("span", { class: "dim" }, `${who} ${text}`);
      case "request": return h("span", {}, `${who} asks to see your presence`);
      case "bounced": return h("span", { class: "bad" }, `not delivered to ${who}: ${text}`);
      case "refused": return h("span", { class: "bad" }, text);
      case "broken": return h("span", { class: "bad" }, "the connection broke; connecting again");
      case "connected": return h("span", { class: "good" }, "connected again");
      case "ended": return h("span", { class: "bad" }, `this pane has ended: ${text}`);
    }
    return null;
  }

  /** The stanza that passed nearest to the moment at which it was sent; otherwise the newest between the two. */
  #why(to, at) {
    const near = (trace) => Math.abs(trace.hops[0].at - at * 1000);
    const mine = [...traces.values()].filter((trace) => trace.kind === "message" && bare(trace.from) === this.jid && bare(trace.to) === bare(to) && near(trace) < NEAR_MS);
    mine.sort((one, other) => near(one) - near(other));
    this.go.trace(mine.length ? mine[0].id : null, { from: this.jid, to: bare(to) });
  }

  #line(list, item) {
    const isAtEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 20;
    list.append(item);
    while (list.children.length > MOST_EVENTS) list.firstChild.remove();
    if (isAtEnd) list.scrollTop = list.scrollHeight;
  }
}
