// The tab "Admin": what is administered over all domains, a part at a time.

import { AccountsPart } from "./accounts.js";
import { ArchivePart } from "./archive.js";
import { button, h } from "./dom.js";
import { LogsPart } from "./logs.js";
import { CertificatesPart, OverviewPart, ServicesPart, SettingsPart } from "./parts.js";

/** Each part has an `element`, and `load()`, which is called when it is shown and when somebody has changed the lab. */
const PARTS = { Overview: OverviewPart, Accounts: AccountsPart, Archives: ArchivePart, Services: ServicesPart, Certificates: CertificatesPart, Logs: LogsPart, Settings: SettingsPart };

export class AdminView {
  #root;
  #parts;
  #tabs;
  #shown = "Overview";

  constructor(root, go) {
    this.#root = root;
    this.#parts = new Map(Object.entries(PARTS).map(([name, Part]) => [name, new Part(go)]));
    this.#tabs = [...this.#parts.keys()].map((name) => button(name, () => this.show(name)));
    root.append(h("div", { class: "buttons", role: "navigation", "aria-label": "Parts" }, this.#tabs), ...[...this.#parts.values()].map(({ element }) => element));
    this.show(this.#shown);
  }

  show(shown) {
    this.#shown = shown;
    for (const tab of this.#tabs) tab.setAttribute("aria-pressed", tab.textContent === shown);
    for (const [name, part] of this.#parts) part.element.hidden = name !== shown;
    this.load();
  }

  /** The accounts of one domain. */
  accountsOf(domain) {
    this.#parts.get("Accounts").filterBy(`@${domain}`);
    this.show("Accounts");
  }

  load() {
    if (this.#root.checkVisibility()) this.#parts.get(this.#shown).load();
  }

  update(event) {
    if (event.said?.some((said) => said.what === "done")) this.load();
  }
}
