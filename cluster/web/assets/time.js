// The tab "Time": the lab over the last hour, with marks for what was done to it; a slider that goes back, with the map.

import { ask } from "./api.js";
import { Chart } from "./chart.js";
import { button, fill, field, h } from "./dom.js";
import { state } from "./store.js";
import { clock, number, span } from "./words.js";

const MAX_SAMPLES = 3600;
const MAX_MARKS = 500;
const MOST_MARKS = 60;
const plain = (value) => (Number.isInteger(value) ? `${value}` : number(value));
// the fields of cluster/web/history.py: Sample
const CHARTS = [
  ["Per second", [["stanzas", 1], ["batches over links", 2], ["failures", 3]], plain],
  ["Time over a link", [["median", 4], ["99th percentile", 5]], (value) => (value ? span(value) : "0")],
  ["Waiting on links", [["batches", 6]], plain],
  ["Processor of all nodes", [["of one core", 7]], (value) => `${plain(value)} %`],
  ["Memory of all nodes", [["resident", 8, 1 << 20]], (value) => `${value.toFixed(0)} MiB`],
];

export class TimeView {
  #root;
  #go;
  #samples = [];
  #marks = [];
  /** The moment that is shown, in seconds since the epoch; null: now, whatever comes. */
  #at = null;
  /** What is being asked for the map; one at a time, and then the newest wish. */
  #asked = null;
  #isLoading = false;

  /** `go`: `past(state, at)` shows the map as it was, `now()` as it is. */
  constructor(root, go) {
    this.#root = root;
    this.#go = go;
    this.length = h("select", { onchange: () => this.show() }, [["60", "1 minute"], ["300", "5 minutes"], ["1800", "30 minutes"], ["3600", "1 hour"]].map(([value, name]) => h("option", { value, selected: value === "300" }, name)));
    this.back = h("input", { type: "range", min: 0, max: 0, step: 1, value: 0, class: "back", "aria-label": "Moment", oninput: () => this.#choose(Number(this.back.value)) });
    this.when = h("output", {});
    this.charts = CHARTS.map(([title, series, unit]) => new Chart(title, series.map(([name, index, per = 1]) => ({ name, at: (sample) => (sample[index] === null ? null : sample[index] / per) })), unit));
    this.marks = h("ul", { class: "rows log" });
    root.append(h("div", { class: "line" }, field("show", this.length), this.when,
      button("‹", () => this.step(-1), { "aria-label": "A second earlier" }), button("›", () => this.step(1), { "aria-label": "A second later" }), button("Now", () => this.#go.now())),
      this.back, h("div", {}, this.charts.map((chart) => chart.element)),
      h("section", {}, h("h2", {}, "Done in this time"), this.marks));
  }

  /** Ask for what is new. */
  async load() {
    if (this.#isLoading) return;
    this.#isLoading = true;
    try {
      const { answer } = await ask({ do: "past", after: this.#newest() });
      this.#samples.push(...answer.samples);
      const known = new Set(this.#marks.map(String));
      this.#marks.push(...answer.marks.filter((mark) => !known.has(String(mark))));
      this.#marks.sort(([one], [other]) => one - other);
      this.#samples.splice(0, this.#samples.length - MAX_SAMPLES);
      this.#marks.splice(0, this.#marks.length - MAX_MARKS);
      if (state.get("lab")?.up === false && this.#at === null && this.#samples.length) this.#choose(this.#samples.length - 1);
    } catch { /* the banner says what is wrong */ } finally {
      this.#isLoading = false;
    }
    this.show();
  }

  update(event) {
    if (event.state?.time > this.#newest() && this.#root.checkVisibility()) this.load();
  }

  /** Follow what comes. */
  now() {
    this.#at = null;
    this.show();
  }

  /** Some samples later, or earlier. */
  step(by) {
    const here = this.#at === null ? this.#samples.length - 1 : this.#index(this.#at);
    this.#choose(Math.max(0, Math.min(this.#samples.length - 1, here + by)));
  }

  #newest() {
    return this.#samples.at(-1)?.[0] ?? 0;
  }

  /** The last sample that is not after a moment. */
  #index(at) {
    const after = this.#samples.findIndex((sample) => sample[0] > at);
    return after < 0 ? this.#samples.length - 1 : Math.max(0, after - 1);
  }

  /** The first sample that is not before a moment: it shows what was done then. */
  #indexAfter(at) {
    const after = this.#samples.findIndex((sample) => sample[0] >= at);
    return after < 0 ? this.#samples.length - 1 : after;
  }

  #choose(index) {
    if (!this.#samples[index]) return;
    this.#at = this.#samples[index][0];
    this.show();
    this.#askMap();
  }

  /** Show the map at the chosen moment. */
  async #askMap() {
    if (this.#asked !== null) return;
    while (this.#at !== null && this.#asked !== this.#at) {
      this.#asked = this.#at;
      try {
        const { answer } = await ask({ do: "moment", at: this.#asked });
        if (this.#at !== null) this.#go.past(answer.state, answer.at);
      } catch { break; /* the banner says what is wrong */ }
    }
    this.#asked = null;
  }

  /** The part around the moment that is chosen, otherwise the newest one. */
  show() {
    if (!this.#root.checkVisibility()) return;
    const newest = this.#newest() || Date.now() / 1000;
    const length = Number(this.length.value);
    const end = this.#at === null || this.#at > newest - length ? newest : this.#at + length / 2;
    const begin = end - length;
    this.back.max = Math.max(0, this.#samples.length - 1);
    this.back.value = this.#at === null ? this.back.max : this.#index(this.#at);
    this.when.textContent = this.#at === null ? "now" : clock(this.#at * 1000);
    const samples = this.#samples.filter(([at]) => at >= begin && at <= end);
    for (const chart of this.charts) chart.show(samples, this.#marks, begin, end, { at: this.#at });
    const marks = this.#marks.filter(([at]) => at >= begin && at <= end).toReversed();
    fill(this.marks, marks.slice(0, MOST_MARKS).map(([at, what]) => h("li", {}, button(clock(at * 1000), () => this.#choose(this.#indexAfter(at)), { class: "plain", title: "show this moment" }), " ", h("code", {}, what))),
      marks.length > MOST_MARKS ? h("li", { class: "dim" }, `and ${marks.length - MOST_MARKS} more`) : null, marks.length ? null : h("li", { class: "dim" }, "nothing"));
  }
}
