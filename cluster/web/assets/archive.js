// A search of the archives of all accounts (XEP-0313).

import { Outcome } from "./act.js";
import { field, h } from "./dom.js";
import { clock } from "./words.js";

export class ArchivePart {
  constructor() {
    this.outcome = new Outcome();
    this.text = h("input", { type: "search", required: true, autocomplete: "off" });
    this.who = h("input", { type: "text", list: "people", placeholder: "all accounts", spellcheck: "false", autocomplete: "off" });
    this.found = h("ul", { class: "rows", "aria-label": "Messages that were found" });
    const search = h("button", { type: "submit", class: "primary" }, "Search");
    this.element = h("section", {}, h("h2", {}, "Search the archives"), h("form", { class: "line", onsubmit: (event) => { event.preventDefault(); this.#search(search); } },
      field("text", this.text), field("of", this.who), search), this.outcome.element, this.found);
  }

  load() {}

  async #search(pressed) {
    const result = await this.outcome.run({ do: "search", text: this.text.value, who: this.who.value.trim() }, pressed, "");
    if (!result) return;
    const { found, left_out } = result;
    this.found.replaceChildren(...found.toReversed().map(({ account, message }) => row(account, message)));
    if (!found.length) this.found.append(h("li", { class: "dim" }, "no message has this text"));
    if (left_out.length) this.found.append(h("li", { class: "dim" }, `not searched, for the topology has no password or the server refuses: ${left_out.join(", ")}`));
  }
}

const row = (account, { at_utc, from, to, subject, body }) =>
  h("li", {}, h("span", { class: "dim" }, `${at_utc.slice(0, 10)} ${clock(Date.parse(at_utc))}, in the archive of ${account}: `), `${from} → ${to || account}: `, h("b", {}, [subject, body].filter(Boolean).join(" · ")));
