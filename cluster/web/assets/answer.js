// What happened to one stanza, and why: the verdict, the sequence diagram, and the words of each step.

import { ask } from "./api.js";
import { same } from "./act.js";
import { button, h, s } from "./dom.js";
import { span } from "./words.js";

/** The panel of one answer. `which`: `{id}` or `{from, to}`; `buttons`: further ones for its bar. */
export class Answer {
  #which;

  constructor(which, buttons) {
    this.#which = which;
    this.body = h("div", {}, h("p", { class: "dim" }, "asking …"));
    this.element = h("article", { class: "answer" }, h("div", { class: "buttons" }, buttons, button("Ask again", () => this.#ask())), this.body);
    this.#ask();
  }

  async #ask() {
    try {
      const { answer, command } = await ask({ do: "why", ...this.#which });
      this.body.replaceChildren(...explained(answer, command));
    } catch (error) {
      this.body.replaceChildren(h("p", { class: "bad" }, error.message), same(error.command));
    }
  }
}

function explained({ explanation, picture, more }, command) {
  const { outcome: became, where, what, reason, rule, remedy } = explanation;
  const place = where === "router" ? "in the router" : `at ${where}`;
  const took = explanation.decisions.at(-1).offset_ms;
  const isForeign = reason === "foreign-server"; // it left for a server that records no hops
  const verdict = isForeign ? "It was sent to a server of another kind." : became === "waits" ? `It waits ${place}.` : `It was ${became} ${place}${became === "delivered" && !more ? ` after ${span(took)}` : ""}.`;
  const isWell = became === "delivered" || became === "taken";
  const tone = isForeign ? "" : isWell ? "good" : "bad";
  return [
    h("h2", {}, `${explanation.kind} ${explanation.from} → ${explanation.to || "all who see it"}`),
    h("p", { class: `verdict ${tone}`, role: "status" }, verdict),
    h("dl", {}, [["why", what], ["rule", rule], ["remedy", remedy], ["reason", reason], ["trace", explanation.trace_id]].filter(([, text]) => text).map(([name, text]) => [h("dt", {}, name), h("dd", {}, text)])),
    drawn(picture, explanation),
    h("ol", { class: "decisions" }, explanation.decisions.map(decision)),
    more ? h("p", { class: "dim" }, `and ${more} more steps`) : "",
    h("p", {}, same(command)),
  ];
}

/** The shapes of cluster/trace/sequence.py. */
function drawn([width, height, shapes], { from, to, decisions }) {
  const elements = shapes.map(([tag, attributes, text, title]) => s(tag, attributes, text, title && title !== text ? s("title", {}, title) : null));
  const name = `${decisions.length} steps of a stanza from ${from} to ${to}`;
  return h("div", { class: "wide", tabindex: 0 },
    s("svg", { class: "sequence", role: "img", viewBox: `0 0 ${width} ${height}`, width, height }, s("title", {}, name), elements));
}

function decision({ node, offset_ms, delta_ms, usual_ms, is_late, size_bytes, what, rule, remedy }) {
  const late = is_late ? h("span", { class: "bad" }, usual_ms === null ? " late" : ` late: ${span(usual_ms)} as a rule`) : null;
  return h("li", {}, h("b", {}, node), ` ${what}`, h("span", { class: "dim" }, ` +${span(offset_ms)} (Δ ${span(delta_ms)}), ${size_bytes} bytes`), late,
    rule || remedy ? h("div", { class: "dim" }, [rule, remedy].filter(Boolean).join(" · ")) : null);
}
