// The tab "Trace": stanzas as they pass, and one of them explained.

import { ask } from "./api.js";
import { Answer } from "./answer.js";
import { button, field, fill, h } from "./dom.js";
import { bare, outcome, replace, state, traces } from "./store.js";
import { clock, span } from "./words.js";

const MOST_ROWS = 150;
const SLOW_MS = 100;
const SHOW_EVERY_MS = 250;
const FAILED = new Set(["failed", "waits"]);

/** One row of a list of stanzas. */
export function traceRow(trace, { word, text, ms }, go) {
  const row = button("", () => go.trace(trace.id), { class: "row trace", "data-word": word });
  row.append(h("span", { class: "dim" }, clock(trace.hops[0].at)), h("span", {}, `${trace.kind === "message" ? "" : `${trace.kind} `}${bare(trace.from)} → ${bare(trace.to) || "all who see it"}`),
    h("span", { class: "word", title: text }, word === "waits" ? word : text), h("span", { class: "dim" }, span(ms)));
  return h("li", {}, row);
}

export class TraceView {
  #root;
  #go;
  #missed = 0;
  #timer = 0;
  /** What was asked for each answer that is shown. */
  #opened = [];
  #isChoosing = false;
  /** The moment up to which stanzas of a lab that is down are shown, in seconds since the epoch; null: now. */
  #at = null;
  /** The moment whose stanzas have been asked for. */
  #asked = null;

  constructor(root, go) {
    this.#root = root;
    this.#go = go;
    this.filter = h("input", { type: "search", placeholder: "account or domain", oninput: () => this.show() });
    this.kind = h("select", { onchange: () => this.show() }, ["message", "presence", "iq", "all kinds"].map((each) => h("option", { value: each }, each)));
    this.which = h("select", { onchange: () => this.show() }, ["all", "slow", "failed or waiting"].map((each) => h("option", { value: each }, each)));
    this.note = h("p", { class: "dim", role: "status" });
    this.list = h("ul", { class: "rows" });
    this.answers = h("div", { class: "answers" });
    this.table = h("div", {}, h("div", { class: "line" }, field("of", this.filter), field("kind", this.kind), field("which", this.which)), this.note, this.list);
    root.append(this.table, this.answers);
    setInterval(() => this.show(), 1000); // what waits gets older
  }

  update(event) {
    this.#missed += event.missed ?? 0;
    if (event.hops || event.state) this.#timer ||= setTimeout(() => this.show(), SHOW_EVERY_MS);
  }

  /** Of a lab that is down: the stanzas up to a moment, in seconds since the epoch. */
  past(at) {
    this.#at = at;
    this.show();
  }

  async #askPast() {
    const at = this.#asked = this.#at;
    try {
      const { answer } = await ask({ do: "recorded", until: at });
      if (this.#at !== at) return; // another moment was chosen since
      replace(answer.hops);
      this.#missed = answer.missed;
      this.show();
    } catch { /* the banner says what is wrong */ }
  }

  /** List the newest stanzas. */
  show() {
    this.#timer = 0;
    if (!this.#root.checkVisibility() || this.table.hidden) return;
    if (this.#asked !== this.#at) this.#askPast();
    const wanted = this.filter.value.trim().toLowerCase();
    const now = this.#at === null ? Date.now() : this.#at * 1000;
    const found = [];
    for (const trace of [...traces.values()].reverse()) {
      if (this.kind.value !== "all kinds" && trace.kind !== this.kind.value) continue;
      if (wanted && !`${trace.from} ${trace.to}`.toLowerCase().includes(wanted)) continue;
      const became = outcome(trace, now);
      if (this.which.value === "slow" && became.ms < SLOW_MS) continue;
      if (this.which.value === "failed or waiting" && !FAILED.has(became.word)) continue;
      if (found.push(traceRow(trace, became, this.#go)) >= MOST_ROWS) break;
    }
    fill(this.list, found, found.length ? null : h("li", { class: "dim" }, this.#at === null ? "nothing yet that matches: send a message in the tab Chat, or with `xmpplab send`" : "nothing that matches was recorded up to this moment: go to a later one in the tab Time"));
    const why = this.#at === null ? state.get("following")?.why : `up to ${clock(this.#at * 1000)}`;
    this.note.textContent = [this.#isChoosing ? "choose the one to show beside" : "", why, this.#missed ? `${this.#missed} hops were too many to show` : ""].filter(Boolean).join("; ");
  }

  /** Explain a stanza, by its trace id or its addresses: `{id}` or `{from, to}`; beside the one that is open, if another
   * one was asked for. */
  open(which) {
    const shown = this.#isChoosing ? [this.#opened[0], which] : [which];
    this.#isChoosing = false;
    this.#opened = shown;
    const close = (at) => (shown.length === 1 ? this.close() : this.open(shown[1 - at]));
    const bars = shown.map((_, at) => [
      at === 0 && shown.length === 1 ? button("‹ all stanzas", () => this.close(), { class: "back" }) : button("✕ close this one", () => close(at)),
      shown.length === 1 ? button("Beside another", () => this.#choose()) : null]);
    this.answers.replaceChildren(...shown.map((each, at) => new Answer(each, bars[at]).element));
    document.body.classList.toggle("wide-dock", shown.length > 1);
    this.table.hidden = true;
  }

  /** List the stanzas again: the next one that is opened comes beside the one that is open. */
  #choose() {
    this.#isChoosing = true;
    this.table.hidden = false;
    this.show();
    this.table.scrollIntoView({ block: "start" });
  }

  close() {
    this.#opened = [];
    this.#isChoosing = false;
    this.answers.replaceChildren();
    document.body.classList.remove("wide-dock");
    this.table.hidden = false;
    this.show();
  }
}
