// The contacts of an account, each with a way to remove it, and a form to add one.

import { ask } from "./api.js";
import { button, field, h } from "./dom.js";

/** A list that fills itself. `known`: the topology has the password; otherwise it is asked for. */
export function roster(who, known, outcome) {
  const password = h("input", { type: "password", autocomplete: "off" });
  const list = h("ul", { class: "rows", "aria-label": `Contacts of ${who}` });
  const request = (more) => ({ who, ...more, ...(password.value ? { password: password.value } : {}) });
  const load = async () => {
    if (!known && !password.value) return list.replaceChildren(h("li", { class: "dim" }, "the topology has no password of this account: type it to see its contacts"));
    list.replaceChildren(h("li", { class: "dim" }, "asking …"));
    try {
      const { answer } = await ask(request({ do: "roster" }));
      list.replaceChildren(...answer.map((each) => contact(each, remove)));
      if (!answer.length) list.append(h("li", { class: "dim" }, "no contacts"));
    } catch (error) {
      list.replaceChildren(h("li", { class: "bad" }, error.message));
    }
  };
  const remove = async (jid, pressed) => {
    await outcome.run(request({ do: "roster_remove", contact: jid }), pressed, `${jid} is no contact of ${who} now`);
    load();
  };
  const added = h("input", { type: "text", required: true, spellcheck: "false", autocomplete: "off" });
  const add = h("button", { type: "submit" }, "Add the contact");
  const form = h("form", { class: "line", onsubmit: async (event) => {
    event.preventDefault();
    if (await outcome.run(request({ do: "roster_add", contact: added.value.trim() }), add, `${added.value.trim()} is a contact, and is asked for its presence`)) added.value = "";
    load();
  } }, field("contact", added), add);
  const secret = h("form", { class: "line", hidden: known, onsubmit: (event) => { event.preventDefault(); load(); } }, field(`password of ${who}`, password), h("button", { type: "submit" }, "Show"));
  load();
  return h("div", {}, h("h3", {}, "Contacts"), secret, list, form);
}

function contact({ jid, name, subscription, is_asked, groups }, remove) {
  const drop = button("Remove", () => remove(jid, drop), { "aria-label": `Remove the contact ${jid}` });
  const said = [name, `subscription ${subscription}`, is_asked ? "asked" : "", groups.join(", ")].filter(Boolean).join(", ");
  return h("li", {}, h("div", { class: "account" }, h("span", {}, jid, h("span", { class: "dim" }, ` ${said}`)), drop));
}
