// Parts of the tab "Admin" that only show: the lab at a glance, components and rooms, certificates, settings.

import { same } from "./act.js";
import { ask } from "./api.js";
import { button, fill, h } from "./dom.js";
import { noLinks } from "./store.js";
import { bytes, faultsInShort } from "./words.js";

const SOON_DAYS = 30;
const DAY_MS = 86_400_000;
const MOST_ROWS = 300;

/** The base: asks, and shows the answer or why there is none. */
class Part {
  body = h("div", {});

  constructor(title) {
    this.element = h("section", {}, h("h2", {}, title), this.body);
  }

  async load() {
    try {
      fill(this.body, await this.show());
    } catch (error) {
      fill(this.body, h("p", { class: "bad" }, error.message));
    }
  }
}

const table = (heads, rows, none) => (rows.length
  ? h("div", { class: "wide" }, h("table", {}, h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, rows.slice(0, MOST_ROWS)),
    rows.length > MOST_ROWS ? h("caption", { class: "dim" }, `and ${rows.length - MOST_ROWS} more`) : null))
  : h("p", { class: "dim" }, none));
const row = (first, ...cells) => h("tr", {}, h("th", { scope: "row" }, first), cells.map((cell) => h("td", {}, cell ?? "–")));

export class OverviewPart extends Part {
  #go;

  constructor(go) {
    super("Overview");
    this.#go = go;
  }

  async show() {
    const { answer, command } = await ask({ do: "overview" });
    const nodes = answer.nodes.map((node) => row(button(node.name, () => this.#go.node(node.name), { class: "plain" }), node.domain ?? node.kind,
      h("span", { class: node.state === "running" ? null : "bad" }, node.state), node.sessions, node.cpu_percent === null ? null : `${node.cpu_percent} %`, node.memory_bytes === null ? null : bytes(node.memory_bytes), node.restarts));
    const links = answer.links.map(({ from, to, waiting, written, lost, faults }) => row(button(`${from} → ${to}`, () => this.#go.link(from, to), { class: "plain" }), written, waiting, lost, h("span", { class: "bad" }, faultsInShort(faults))));
    return [
      h("p", {}, h("b", {}, answer.lab), " from ", h("code", {}, answer.topology), ", its files in ", h("code", {}, answer.state_dir)),
      table(["node", "serves", "state", "sessions", "processor", "memory", "restarts"], nodes, "no node"),
      h("h3", {}, "Links"), table(["link", "batches", "waiting", "lost", "faults"], links, noLinks()),
      h("p", {}, same(command)),
    ];
  }
}

export class ServicesPart extends Part {
  constructor() {
    super("Components, gateways and rooms");
  }

  async show() {
    const [overview, rooms] = await Promise.all([ask({ do: "overview" }), ask({ do: "rooms" })]);
    const { components, services } = overview.answer;
    const connected = { true: "connected", false: h("span", { class: "bad" }, "not connected"), null: "the server does not answer" };
    return [
      table(["component or gateway", "server", "at", ""], components.map((each) => row(each.domain, each.server, each.address, connected[each.is_connected])), "no component, no gateway"),
      h("h3", {}, "Services"), table(["service", "server", "kind"], services.map((each) => row(each.domain, each.server, each.kind)), "no server has a service"),
      h("h3", {}, "Public rooms"), table(["room", "name", "people"], rooms.answer.map((each) => row(each.jid, each.name, each.occupants)), "no room"),
    ];
  }
}

export class CertificatesPart extends Part {
  constructor() {
    super("Certificates");
  }

  async show() {
    const { answer } = await ask({ do: "certificates" });
    const ca = answer.find((each) => each.name === "ca");
    const rows = answer.map(({ name, domains, not_before, not_after }) => {
      const days = Math.floor((new Date(not_after) - Date.now()) / DAY_MS);
      return row(name, domains.join(", ") || "signs the others", not_before.slice(0, 10), h("span", { class: days < SOON_DAYS ? "bad" : null }, `${not_after.slice(0, 10)}, ${days} days`));
    });
    return [
      h("p", { class: "dim" }, ca ? `Clients have to trust ${ca.path}` : "This lab has no TLS."),
      table(["of", "names", "valid from", "until"], rows, "no certificates"),
    ];
  }
}

export class SettingsPart extends Part {
  constructor() {
    super("Settings");
  }

  async show() {
    const { answer } = await ask({ do: "settings" });
    return [
      h("p", {}, "All settings of the running lab, with defaults and addresses. They come from ", h("code", {}, answer.topology), "; change the file, and bring the lab up again. Passwords are left out."),
      h("p", {}, same(`xmpplab config ${answer.topology}`)),
      h("pre", { class: "log tall", tabindex: 0, "aria-label": "Settings" }, answer.text),
    ];
  }
}
