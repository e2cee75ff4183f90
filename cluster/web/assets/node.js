// A node: its state, what can be done to it, and its log.

import { Outcome } from "./act.js";
import { ask } from "./api.js";
import { button, field, fill, h } from "./dom.js";
import { logLine } from "./logs.js";
import { sessions } from "./sessions.js";
import { of, plan, state } from "./store.js";
import { bytes, shortened } from "./words.js";

const LOOK_EVERY_MS = 3000;

/** The other nodes in its process: what is done to one is done to all. */
function sharing(node) {
  return node?.pid ? [...of("node")].filter(([name, { pid }]) => pid === node.pid && name !== node.name).map(([name]) => name) : [];
}

export class NodePanel {
  #timer = 0;

  constructor(name, go) {
    this.name = name;
    this.go = go;
    this.outcome = new Outcome();
    this.facts = h("dl", {});
    this.log = h("pre", { class: "log", tabindex: 0, "aria-label": `Log of ${name}` });
    this.kill = button("Kill", () => this.#act("kill", this.kill, "killed; restarted and ready"), { class: "danger" });
    this.pause = button("Pause", () => this.#act("pause", this.pause, "paused, as if it hung"));
    this.resume = button("Resume", () => this.#act("resume", this.resume, "continues"), { class: "primary" });
    this.restart = button("Restart", () => this.#act("restart", this.restart, "stopped; restarted and ready"));
    this.away = h("input", { type: "text", size: 5, placeholder: "0s", title: "how long it stays down after Kill, such as 3s" });
    this.element = h("div", {}, h("h2", {}, name), this.facts,
      h("div", { class: "buttons" }, this.kill, field("down for", this.away), this.pause, this.resume, this.restart),
      this.#network(), this.outcome.element, this.#domain(),
      h("section", {}, h("h3", {}, "Log"), this.log));
    this.#look();
  }

  close() {
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  #act(action, pressed, told) {
    const down = action === "kill" ? this.away.value.trim() : "";
    return this.outcome.run({ do: "act", node: this.name, action, ...(down ? { for: down } : {}) }, pressed,
      (others) => (others.length ? `${told}; and with it ${shortened(others)}, in the same process` : told)).then(() => this.#look());
  }

  /** What is served here: how many nodes do it, its accounts, who is logged in. */
  #domain() {
    const served = plan().domains.find(({ kind, nodes }) => kind === "xmpplab" && nodes.includes(this.name));
    if (!served) return null;
    const { server, domain, nodes } = served;
    const count = h("input", { type: "number", min: 1, max: 99, value: nodes.length, required: true });
    const scale = h("button", { type: "submit" }, "Scale");
    const form = h("form", { class: "line", onsubmit: (event) => {
      event.preventDefault();
      this.outcome.run({ do: "scale", server, nodes: Number(count.value) }, scale, `${domain} has ${count.value} nodes`);
    } }, field(`nodes of ${domain}`, count), scale, button(`Accounts of ${domain}`, () => this.go.accounts(domain)));
    const holder = h("div", {}, sessions(domain, this.outcome));
    const again = button("Look again", () => holder.replaceChildren(sessions(domain, this.outcome)));
    return [form, h("section", {}, h("h3", {}, `Clients of ${domain}`), holder, again)];
  }

  /** The faults of a foreign network of the lab. */
  #network() {
    if (!this.#isNetwork()) return null;
    const delay = h("input", { type: "text", size: 6, placeholder: "2s" });
    const down = button("Refuse connections", () => this.outcome.run({ do: "network_set", network: this.name, down: true }, down, "refuses connections").then(() => this.#look()));
    const slow = button("Delay", () => this.outcome.run({ do: "network_set", network: this.name, delay: delay.value.trim() }, slow, "set").then(() => this.#look()));
    const clear = button("Clear its faults", () => this.outcome.run({ do: "network_clear", network: this.name }, clear, "no faults").then(() => this.#look()));
    return h("div", { class: "buttons" }, down, field("by", delay), slow, clear);
  }

  #isNetwork() {
    return plan().networks.some((each) => each.name === this.name && !each.external);
  }

  update() {
    const node = state.get(`node ${this.name}`);
    const isRunning = node?.state === "running";
    this.kill.disabled = this.pause.disabled = this.restart.disabled = !isRunning;
    this.resume.hidden = node?.state !== "paused";
    this.pause.hidden = node?.state === "paused";
    this.element.dataset.state = node?.state ?? "gone";
    if (!node) this.outcome.show(`${this.name} is not running in this lab`, "", "bad");
    this.#facts();
  }

  #facts() {
    const node = { ...state.get(`node ${this.name}`), ...this.seen };
    const now = state.get(`node ${this.name}`);
    const facts = [
      ["state", now?.state], ["shares its process with", shortened(sharing(now))], ["kind", node.kind], ["domain", node.domain], ["trouble", node.trouble],
      ["sessions", node.sessions], ["processor", node.cpu_percent == null ? null : `${node.cpu_percent} % of a core`],
      ["memory", node.memory_bytes == null ? null : bytes(node.memory_bytes)],
      ["clients at", node.c2s], ["direct TLS at", node.direct_tls], ["web at", node.http], ["components at", node.components],
      ["faults", Object.entries(this.faults ?? {}).map(([key, value]) => `${key} ${value}`).join(", ")], ["restarts", now?.restarts], ["last exit", now?.last_exit],
    ];
    fill(this.facts, facts.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => [h("dt", {}, name), h("dd", {}, `${value}`)]));
  }

  async #look() {
    clearTimeout(this.#timer);
    const asked = [ask({ do: "look", node: this.name }), ask({ do: "log", node: this.name })];
    if (this.#isNetwork()) asked.push(ask({ do: "network_ls" }));
    const [seen, log, networks] = await Promise.allSettled(asked);
    if (this.#timer === null) return; // closed meanwhile
    if (seen.status === "fulfilled") this.seen = seen.value.answer;
    if (networks?.status === "fulfilled") this.faults = networks.value.answer.find((each) => each.name === this.name)?.faults;
    this.#facts();
    const lines = log.status === "fulfilled" ? log.value.answer : [["", "error", log.reason.message, this.name]];
    const isAtEnd = this.log.scrollTop + this.log.clientHeight >= this.log.scrollHeight - 8;
    fill(this.log, lines.map(logLine));
    if (isAtEnd) this.log.scrollTop = this.log.scrollHeight;
    this.#timer = setTimeout(() => this.#look(), LOOK_EVERY_MS);
  }
}
