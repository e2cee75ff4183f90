// Accounts over all domains: create, chat as, password, delete; the clients and the roster of each.

import { Outcome } from "./act.js";
import { ask } from "./api.js";
import { button, field, h } from "./dom.js";
import { roster } from "./roster.js";
import { sessions } from "./sessions.js";

const MOST_ROWS = 100;
const FEW = 12;

export class AccountsPart {
  #go;
  #people = [];
  #open = "";

  constructor(go) {
    this.#go = go;
    this.outcome = new Outcome();
    this.filter = h("input", { type: "search", placeholder: "filter", "aria-label": "Filter accounts", oninput: () => this.#show() });
    this.accounts = h("ul", { class: "rows" });
    this.element = h("section", {}, h("h2", {}, "Accounts"), this.#create(), this.outcome.element, this.filter, this.accounts);
  }

  filterBy(text) {
    this.filter.value = text;
  }

  async load() {
    try {
      const { answer } = await ask({ do: "people" });
      this.#people = answer.filter(({ kind }) => kind === "account");
      if (!this.element.contains(document.activeElement) || !this.#open) this.#show(); // somebody may be typing there
    } catch (error) {
      this.outcome.show(error.message, error.command, "bad");
    }
  }

  #create() {
    const jid = h("input", { type: "text", required: true, placeholder: "paris@capulet.lit", spellcheck: "false", autocomplete: "off" });
    const password = h("input", { type: "password", required: true, autocomplete: "new-password" });
    const create = h("button", { type: "submit", class: "primary" }, "Create");
    return h("form", { class: "line", onsubmit: async (event) => {
      event.preventDefault();
      if (await this.outcome.run({ do: "user_add", jid: jid.value.trim(), password: password.value }, create, `created ${jid.value.trim()}`)) jid.value = password.value = "";
    } }, field("new account", jid), field("password", password), create);
  }

  #show() {
    const wanted = this.filter.value.trim().toLowerCase();
    const found = this.#people.filter(({ who }) => who.includes(wanted));
    this.accounts.replaceChildren(...found.slice(0, MOST_ROWS).map((account) => this.#account(account)));
    if (found.length > MOST_ROWS) this.accounts.append(h("li", { class: "dim" }, `and ${found.length - MOST_ROWS} more: filter`));
    if (!found.length) this.accounts.append(h("li", { class: "dim" }, "none"));
    this.filter.hidden = this.#people.length <= FEW && !wanted;
  }

  #account({ who, known }) {
    const toggle = button("Change", () => { this.#open = this.#open === who ? "" : who; this.#show(); }, { "aria-expanded": this.#open === who, "aria-label": `Change ${who}` });
    const more = this.#open === who ? [sessions(who, this.outcome), roster(who, known, this.outcome), this.#form(who)] : [];
    return h("li", {}, h("div", { class: "account" }, h("span", {}, who), button("Chat", () => this.#go.talk(who), { "aria-label": `Chat as ${who}` }), toggle), more);
  }

  #close() {
    this.#open = "";
    this.#show();
  }

  #form(who) {
    const password = h("input", { type: "password", required: true, autocomplete: "new-password" });
    const set = h("button", { type: "submit" }, "Set the password");
    const remove = button(`Delete ${who} and all its data`, async () => {
      if (await this.outcome.run({ do: "user_del", jid: who }, remove, `removed ${who}`)) this.#close();
    }, { class: "danger" });
    return h("form", { class: "line", onsubmit: async (event) => {
      event.preventDefault();
      if (await this.outcome.run({ do: "user_passwd", jid: who, password: password.value }, set, `the password of ${who} is changed`)) this.#close();
    } }, field("new password", password), set, remove);
  }
}
