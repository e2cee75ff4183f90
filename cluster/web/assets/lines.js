// What the map shows between places: a line for each gateway and its network, and for each pair of domains in touch.

import { button, s } from "./dom.js";
import { MOST_WHOLE, pointOn } from "./layout.js";
import { of, planOf } from "./store.js";
import { faultsInShort, number } from "./words.js";

const MOST_LINES = 400;
const QUIET_MS = 60_000;
/** In a large lab a line is drawn as long as it was used within this time. */

export class Lines {
  #go;
  #picture;
  #labels;
  #all = new Map();
  #gateways = [];
  #used = new Map();
  #layout = null;
  #selected = "";

  /** `picture`: an SVG element; `labels`: an element above it; `go`: `link(a, b)`. */
  constructor(picture, labels, go) {
    this.#picture = picture;
    this.#labels = labels;
    this.#go = go;
  }

  /** Begin again, for cards at new places. */
  place(layout) {
    this.#layout = layout;
    for (const { label } of this.#all.values()) label?.remove();
    this.#all.clear();
    this.#gateways = [];
    this.#picture.replaceChildren();
  }

  select(key) {
    this.#selected = key;
  }

  /** The line between two cards, in either direction. */
  between(one, other) {
    const gateway = this.#gateways.find((line) => [line.one, line.other].includes(one) && [line.one, line.other].includes(other));
    return this.#all.get(`link ${one} ${other}`) ?? this.#all.get(`link ${other} ${one}`) ?? gateway ?? null;
  }

  /** Show the lines of a state of the lab. `isNow`: it is the present one, so a line that was just in use stays. */
  show(state, isNow) {
    if (!this.#layout) return;
    const shown = new Set();
    const isFew = this.#layout.at.size <= MOST_WHOLE;
    for (const pair of this.#pairs(state, isNow)) {
      shown.add(pair.key);
      const line = this.#all.get(pair.key) ?? this.#draw(pair);
      if (line && !line.gateway) this.#describe(line, state, isFew);
    }
    for (const [key, line] of this.#all) {
      if (shown.has(key)) continue;
      for (const part of [line.path, line.hit, line.label]) part?.remove();
      this.#all.delete(key);
    }
  }

  /** The pairs of cards that have a line: gateways with their networks, and links between servers. */
  *#pairs(state, isNow) {
    const { domains, gateways } = planOf(state);
    for (const { name, server, network } of gateways) yield { key: `gateway ${name}`, one: server, other: network, gateway: name };
    const order = new Map(domains.map((each, index) => [each.server, index]));
    const pair = (from, to) => (order.get(from) < order.get(to) ? [from, to] : [to, from]);
    const found = new Map();
    if (domains.length <= MOST_WHOLE) {
      for (const one of domains) {
        for (const other of domains.slice(order.get(one.server) + 1)) {
          if (one.peers === null || one.peers.includes(other.domain)) found.set(`${one.server} ${other.server}`, [one.server, other.server]);
        }
      }
    }
    for (const [, link] of of("link", state)) {
      const ends = pair(link.from, link.to);
      if (this.#isShown(ends, link, state, isNow)) found.set(ends.join(" "), ends);
    }
    let left = MOST_LINES;
    for (const [key, [one, other]] of found) if (left-- > 0) yield { key: `link ${key}`, one, other };
  }

  #isShown([one, other], link, state, isNow) {
    const isInUse = state.has(`line ${one} ${other}`) || state.has(`line ${other} ${one}`);
    const isLoaded = link.waiting > 0 || Object.keys(link.faults).length > 0;
    if (!isNow) return isInUse || isLoaded;
    const key = `${link.from} ${link.to}`;
    if (isInUse || link.written !== this.#used.get(key)?.written) this.#used.set(key, { written: link.written, at: Date.now() });
    return isLoaded || Date.now() - (this.#used.get(key)?.at ?? 0) < QUIET_MS;
  }

  #draw(pair) {
    const one = this.#layout.at.get(pair.one), other = this.#layout.at.get(pair.other);
    if (!one || !other) return null;
    const curve = this.#layout.curve(one, other);
    const d = `M${curve.from.x} ${curve.from.y}Q${curve.through.x} ${curve.through.y} ${curve.to.x} ${curve.to.y}`;
    const line = { ...pair, curve, path: s("path", { d, class: pair.gateway ? "gateway" : "" }), hit: null, label: null };
    this.#picture.append(line.path);
    if (pair.gateway) {
      this.#gateways.push(line);
    } else {
      line.hit = s("path", { d, class: "hit" });
      line.hit.addEventListener("click", () => this.#go.link(pair.one, pair.other));
      this.#picture.append(line.hit);
    }
    this.#all.set(pair.key, line);
    return line;
  }

  #describe(line, state, isFew) {
    const ways = [`${line.one} ${line.other}`, `${line.other} ${line.one}`];
    const links = ways.map((way) => state.get(`link ${way}`)).filter(Boolean);
    const traffic = ways.map((way) => state.get(`line ${way}`)).filter(Boolean);
    const waiting = links.reduce((sum, link) => sum + link.waiting, 0);
    const faults = [...new Set(links.map((link) => faultsInShort(link.faults)).filter(Boolean))].join(" / ");
    line.path.setAttribute("class", faults ? "faulty" : traffic.length ? "busy" : waiting ? "waiting" : "");
    const parts = [faults, waiting ? `${waiting} waiting` : ""];
    if (traffic.length) {
      parts.push(`${traffic.reduce((sum, each) => sum + each.stanzas, 0)}/s`, `${number(Math.max(...traffic.map((each) => each.ms)))} ms`);
    }
    const text = parts.filter(Boolean).join(" · ") || "link";
    if (isFew || faults) this.#label(line, text);
    else line.label = line.label?.remove() ?? null;
  }

  #label(line, text) {
    const key = `link ${line.one} ${line.other}`;
    if (!line.label) {
      const { x, y } = pointOn(line.curve, 0.5);
      line.label = button("", () => this.#go.link(line.one, line.other), { class: "line", "data-key": key });
      line.label.style.left = `${x}px`;
      line.label.style.top = `${y}px`;
      line.label.toggleAttribute("data-selected", key === this.#selected);
      this.#labels.append(line.label);
    }
    if (line.label.textContent === text) return;
    line.label.textContent = text;
    line.label.className = `line ${line.path.getAttribute("class")}`;
    line.label.setAttribute("aria-label", `link of ${line.one} and ${line.other}: ${text}`);
  }
}
