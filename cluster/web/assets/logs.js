// The log of all nodes together, or of one, filtered by a text.

import { same } from "./act.js";
import { ask } from "./api.js";
import { field, fill, h } from "./dom.js";
import { of } from "./store.js";

export class LogsPart {
  constructor() {
    this.node = h("select", { onchange: () => this.load() });
    this.text = h("input", { type: "search", autocomplete: "off" });
    this.lines = h("pre", { class: "log tall", tabindex: 0, "aria-label": "Log of the lab" });
    this.command = h("p", {});
    this.element = h("section", {}, h("h2", {}, "Logs"), h("form", { class: "line", onsubmit: (event) => { event.preventDefault(); this.load(); } },
      field("of", this.node), field("with the text", this.text), h("button", { type: "submit" }, "Look again")), this.lines, this.command);
  }

  async load() {
    const chosen = this.node.value;
    fill(this.node, h("option", { value: "" }, "all nodes"), [...of("node")].map(([name]) => h("option", { value: name }, name)));
    this.node.value = chosen;
    try {
      const { answer, command } = await ask({ do: "log", node: chosen, text: this.text.value.trim(), tail: 500 });
      this.lines.replaceChildren(...answer.map(logLine), answer.length ? "" : "no line");
      this.command.replaceChildren(same(command));
    } catch (error) {
      this.lines.replaceChildren(error.message);
    }
    this.lines.scrollTop = this.lines.scrollHeight;
  }
}

/** One line of a log, of cluster/web/requests/nodes.py. */
export const logLine = ([at, level, text, node]) =>
  h("span", { class: level === "error" || level === "warning" ? "bad" : null }, `${at.slice(11, 23)} ${node} ${level === "info" ? "" : `${level} `}${text}\n`);
