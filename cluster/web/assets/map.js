// The map: cards for domains and networks, lines for what joins two of them, dots for stanzas; as it is now, or was.

import { button, fill, h, s } from "./dom.js";
import { Cards } from "./cards.js";
import { Dots } from "./dots.js";
import { arrange } from "./layout.js";
import { Lines } from "./lines.js";
import { bare, of, places, planOf, state } from "./store.js";
import { clock } from "./words.js";

const PULSE_MS = 500;

export class LabMap {
  #plan = "";
  #places = new Map();
  #zoom = 1;
  #scale = 1;
  #selected = "";
  /** A state of earlier; null: now is shown. */
  #past = null;

  /** `go`: `node(name)`, `link(a, b)`, `talk(who)`, `step(by)`, `now()`. */
  constructor(root, go) {
    const picture = s("svg", { class: "lines", "aria-hidden": "true" });
    this.picture = picture;
    this.canvas = h("canvas", { class: "dots", "aria-hidden": "true" });
    this.layer = h("div", { class: "cards" });
    this.stage = h("div", { class: "stage" }, picture, this.canvas, this.layer);
    this.room = h("div", { class: "room" }, this.stage); // as large as the stage looks, for the scroll bars
    this.scroll = h("div", { class: "scroll" }, this.room);
    this.find = h("input", { type: "search", placeholder: "find a domain", "aria-label": "Find a domain", oninput: () => this.#find() });
    this.tools = h("div", { class: "tools" }, this.find,
      button("−", () => this.#setZoom(this.#zoom / 1.4), { "aria-label": "Smaller" }),
      button("fit", () => this.#setZoom(1)),
      button("+", () => this.#setZoom(this.#zoom * 1.4), { "aria-label": "Larger" }));
    this.when = h("b", {});
    this.then = h("div", { class: "then", role: "status", hidden: true }, 
      button("‹", () => go.step(-1), { "aria-label": "The map a second earlier" }), this.when, button("›", () => go.step(1), { "aria-label": "The map a second later" }), button("Back to now", () => go.now()));
    root.append(this.scroll, this.tools, this.then);
    this.cards = new Cards(go);
    this.lines = new Lines(picture, this.layer, go);
    this.dots = new Dots(this.canvas);
    new ResizeObserver(() => this.#place()).observe(this.scroll);
  }

  /** What is shown. */
  get #state() {
    return this.#past ?? state;
  }

  /** Show what has changed. */
  update(event) {
    const changed = Object.keys(event.state ?? {});
    if (changed.includes("plan")) this.#build();
    if (this.#past) return;
    const words = new Set(changed.map((key) => key.split(" ", 1)[0]));
    if (words.has("node")) for (const key of changed) if (key.startsWith("node ")) this.cards.showNode(key.slice(5), state.get(key));
    if (words.has("clients") || words.has("node")) this.#showPeople();
    if (words.has("link") || words.has("line") || words.has("plan")) this.lines.show(state, true);
    for (const [line, count] of Object.entries(event.moves ?? {})) this.#move(line.split(" "), count);
    for (const name of Object.keys(event.failures ?? {})) this.#pulse(name, "fails");
  }

  /** Show the lab as it was: `found` has the values of the state at that moment, `at` in seconds since the epoch. Without
   * it, as it is now. */
  show(found = null, at = 0) {
    this.#past = found && new Map([...Object.entries(found), ["plan", planOf(state)]]);
    this.then.hidden = !found;
    this.stage.classList.toggle("past", Boolean(found));
    fill(this.when, found ? `as it was at ${clock(at * 1000)}` : "");
    this.#showAll();
  }

  select(key) {
    this.#selected = key;
    this.lines.select(key);
    for (const element of this.scroll.querySelectorAll("[data-key]")) element.toggleAttribute("data-selected", element.dataset.key === key);
  }

  // --- cards

  #build() {
    const now = JSON.stringify(planOf(state));
    if (now === this.#plan) return;
    this.#plan = now;
    this.#places = places();
    this.layer.replaceChildren(...this.cards.build(planOf(state)));
    this.tools.hidden = !this.cards.isLarge;
    this.stage.classList.toggle("large", this.cards.isLarge);
    this.#showAll();
    this.#place();
    this.select(this.#selected);
  }

  #showAll() {
    const { domains, gateways, networks } = planOf(state);
    const names = [...domains.flatMap(({ nodes }) => nodes), ...gateways.map(({ name }) => name), ...networks.map(({ name }) => name)];
    for (const name of names) this.cards.showNode(name, this.#state.get(`node ${name}`));
    this.#showPeople();
    this.lines.show(this.#state, !this.#past);
  }

  /** Accounts at the nodes that their clients are logged in at; phones and mailboxes at their networks. */
  #showPeople() {
    if (this.cards.isLarge) return; // its cards are too small for people
    const { domains } = planOf(state);
    const online = new Map(), known = new Set();
    const domainOf = new Map(domains.flatMap(({ domain, nodes }) => nodes.map((node) => [node, domain])));
    for (const [node, names] of of("clients", this.#state)) {
      known.add(domainOf.get(node) ?? node);
      for (const jid of names) {
        const at = online.get(bare(jid)) ?? [];
        if (!at.includes(node)) online.set(bare(jid), [...at, node]);
      }
    }
    if (this.cards.showPeople(planOf(state), online, known)) this.#place();
  }

  // --- places

  #place() {
    const cards = this.cards.all;
    if (!cards.size) return;
    const { gateways } = planOf(state);
    const sized = [...cards].map(([name, element]) => {
      const gateway = gateways.find((each) => each.network === name);
      return { name, width: element.offsetWidth, height: element.offsetHeight, below: gateway?.server };
    });
    this.layout = arrange(sized, this.scroll.clientWidth, this.scroll.clientHeight);
    const { width, height, at, scale = 1 } = this.layout;
    for (const [name, element] of cards) {
      const { x, y, angle } = at.get(name);
      element.style.left = `${x}px`;
      element.style.top = `${y}px`;
      if (angle !== undefined) turn(element, angle);
    }
    this.#scale = scale;
    this.picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.picture.setAttribute("width", width);
    this.picture.setAttribute("height", height);
    this.dots.size(width, height, scale);
    this.#setZoom(this.#zoom);
    this.lines.place(this.layout);
    this.lines.show(this.#state, !this.#past);
  }

  #setZoom(zoom) {
    const { scrollLeft, scrollTop, scrollWidth, scrollHeight, clientWidth, clientHeight } = this.scroll;
    const [middleX, middleY] = [(scrollLeft + clientWidth / 2) / scrollWidth, (scrollTop + clientHeight / 2) / scrollHeight];
    this.#zoom = this.tools.hidden ? 1 : Math.max(1, Math.min(zoom, 6));
    const scale = this.#scale * this.#zoom;
    this.stage.style.transform = scale === 1 ? "" : `scale(${scale})`;
    this.stage.style.width = `${this.layout.width}px`;
    this.stage.style.height = `${this.layout.height}px`;
    this.room.style.width = `${this.layout.width * scale}px`;
    this.room.style.height = `${this.layout.height * scale}px`;
    this.scroll.scrollTo(middleX * this.scroll.scrollWidth - clientWidth / 2, middleY * this.scroll.scrollHeight - clientHeight / 2);
  }

  #find() {
    const wanted = this.find.value.trim().toLowerCase();
    let first = null;
    for (const [, element] of this.cards.all) {
      const isFound = wanted !== "" && element.textContent.toLowerCase().includes(wanted);
      element.toggleAttribute("data-found", isFound);
      first ??= isFound ? element : null;
    }
    first?.scrollIntoView({ block: "center", inline: "center" });
  }

  // --- traffic

  #move([from, to], count) {
    const one = this.#placeOf(from), other = this.#placeOf(to);
    const line = one !== other && this.lines.between(one, other);
    if (line) this.dots.send(line.curve, count, line.one !== one);
    if (!this.cards.isLarge) this.#pulse(to, "passes"); // in a large lab hundreds would glow at a time
  }

  #placeOf(name) {
    return this.#places.get(name) ?? name;
  }

  #pulse(name, kind) {
    const element = this.cards.of(name, this.#placeOf(name));
    if (!element || document.hidden || element.getAnimations().length) return;
    const color = getComputedStyle(element).getPropertyValue(kind === "fails" ? "--bad" : "--dot");
    element.animate([{ boxShadow: `0 0 0 3px ${color}` }, { boxShadow: "0 0 0 3px transparent" }], { duration: PULSE_MS });
  }
}

/** A small card points away from the middle of the circle, and is never upside down. */
function turn(element, angle) {
  const isLeft = Math.cos(angle) < 0;
  element.classList.toggle("left", isLeft);
  element.style.transform = isLeft ? `translate(-100%, -50%) rotate(${angle + Math.PI}rad)` : `translate(0, -50%) rotate(${angle}rad)`;
}
