// A link: its two directions, its faults, and the stanzas that crossed it.

import { Outcome } from "./act.js";
import { button, field, fill, h } from "./dom.js";
import { outcome, places, plan, state, traces } from "./store.js";
import { traceRow } from "./trace.js";
import { faultsInShort, number } from "./words.js";

const MOST_TRACES = 30;

export class LinkPanel {
  constructor(one, other, go) {
    const order = plan().domains.map((each) => each.server);
    [this.one, this.other] = order.indexOf(one) <= order.indexOf(other) ? [one, other] : [other, one];
    this.go = go;
    this.outcome = new Outcome();
    this.ways = h("tbody", {});
    this.list = h("ul", { class: "rows" });
    this.cut = button("Cut the link", () => this.#set({ down: "always" }, true, this.cut, "cut: stanzas wait until it is healed"), { class: "danger" });
    this.heal = button("Heal the link", () => this.#clear(), { class: "primary" });
    this.element = h("div", {}, h("h2", {}, `Link ${this.one} – ${this.other}`),
      h("table", {}, h("thead", {}, h("tr", {}, ["direction", "stanzas/s", "median", "waiting", "lost", "faults"].map((name) => h("th", { scope: "col" }, name)))), this.ways),
      h("div", { class: "buttons" }, this.cut, this.heal), this.#form(), this.outcome.element,
      h("section", {}, h("h3", {}, "Stanzas over this link"), this.list));
  }

  close() {}

  #form() {
    const faults = Object.entries(plan().faults);
    const key = h("select", {}, faults.map(([name]) => h("option", { value: name }, name)));
    const value = h("input", { type: "text", required: true, size: 12, spellcheck: "false", autocomplete: "off" });
    const way = h("select", {}, h("option", { value: "both" }, "both ways"), h("option", { value: "forth" }, `${this.one} → ${this.other}`), h("option", { value: "back" }, `${this.other} → ${this.one}`));
    const meaning = h("p", { class: "dim" });
    const explain = () => { meaning.textContent = plan().faults[key.value] ?? ""; value.placeholder = EXAMPLES[key.value] ?? ""; };
    key.addEventListener("change", explain);
    explain();
    const set = h("button", { type: "submit" }, "Set");
    return h("form", { class: "line", onsubmit: (event) => {
      event.preventDefault();
      this.#set({ [key.value]: value.value.trim() }, way.value === "both", set, "set", way.value === "back");
    } }, field("fault", key), field("value", value), field("direction", way), set, meaning);
  }

  #set(faults, both, pressed, told, isBack = false) {
    const [from, to] = isBack ? [this.other, this.one] : [this.one, this.other];
    return this.outcome.run({ do: "fault_set", from, to, faults, both }, pressed, told);
  }

  #clear() {
    this.outcome.run({ do: "fault_clear", from: this.one, to: this.other, both: true }, this.heal, "healed: what waited goes on");
  }

  update(event) {
    const ways = [[this.one, this.other], [this.other, this.one]];
    fill(this.ways, ways.map(([from, to]) => {
      const link = state.get(`link ${from} ${to}`), line = state.get(`line ${from} ${to}`);
      return h("tr", {}, h("th", { scope: "row" }, `${from} → ${to}`), h("td", {}, line ? `${line.stanzas}` : "0"), h("td", {}, line ? `${number(line.ms)} ms` : "–"),
        h("td", {}, `${link?.waiting ?? 0}`), h("td", {}, `${link?.lost ?? 0}`), h("td", { class: "bad" }, faultsInShort(link?.faults ?? {}) || "none"));
    }));
    const isFaulty = ways.some(([from, to]) => Object.keys(state.get(`link ${from} ${to}`)?.faults ?? {}).length);
    const isCut = ways.every(([from, to]) => state.get(`link ${from} ${to}`)?.faults.down === "always");
    this.cut.hidden = isCut;
    this.heal.hidden = !isFaulty;
    if (event.hops || event.state?.plan === null) this.#stanzas();
  }

  #stanzas() {
    const at = places();
    const domainOf = (name) => plan().domains.find((each) => each.server === name)?.domain ?? "";
    const mine = new Set([domainOf(this.one), domainOf(this.other)]);
    const crossed = ({ from, to }) => [from, to].map((jid) => jid.split("/", 1)[0].split("@").pop());
    const isMine = (trace) => {
      const domains = crossed(trace);
      const servers = new Set(trace.hops.map((hop) => at.get(hop.node)));
      return (mine.has(domains[0]) && mine.has(domains[1]) && domains[0] !== domains[1]) || (servers.has(this.one) && servers.has(this.other));
    };
    const found = [...traces.values()].reverse().filter(isMine).slice(0, MOST_TRACES);
    fill(this.list, found.map((trace) => traceRow(trace, outcome(trace), this.go)), found.length ? null : h("li", { class: "dim" }, "none yet"));
  }
}

const EXAMPLES = { delay: "80ms", jitter: "10ms", loss: "5%", duplicate: "1%", reorder: "10%", rate: "10", down: "10s..20s" };
