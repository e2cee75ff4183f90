// The clients that are logged in as an account or at a domain, each with a way to end its session.

import { ask } from "./api.js";
import { button, h } from "./dom.js";

/** A list that fills itself; `outcome` shows what became of an end. */
export function sessions(who, outcome) {
  const list = h("ul", { class: "rows", "aria-label": `Clients of ${who}` }, h("li", { class: "dim" }, "asking …"));
  const load = async () => {
    try {
      const { answer } = await ask({ do: "sessions", who });
      list.replaceChildren(...answer.map((each) => session(each, outcome, load)));
      if (!answer.length) list.append(h("li", { class: "dim" }, "nobody is logged in"));
    } catch (error) {
      list.replaceChildren(h("li", { class: "bad" }, error.message));
    }
  };
  load();
  return list;
}

function session({ jid, node, state, priority }, outcome, load) {
  const end = button("End", async () => {
    await outcome.run({ do: "session_end", jid }, end, `ended the session of ${jid}`);
    load();
  }, { "aria-label": `End the session of ${jid}` });
  return h("li", {}, h("div", { class: "account" }, h("span", {}, jid, h("span", { class: "dim" }, ` at ${node}, ${state}${priority === null ? "" : `, priority ${priority}`}`)), end));
}
