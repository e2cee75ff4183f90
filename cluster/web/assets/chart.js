// One chart over time: lines of SVG, marks for what was done to the lab, and the values at the pointer.

import { fill, h, s } from "./dom.js";
import { clock } from "./words.js";

const WIDTH = 400, HEIGHT = 92, LEFT = 58, BOTTOM = 16, TOP = 6;
/** A longer time without a sample is a gap in the line. */
const GAP_S = 5;
const KEY_STEP = 1 / 60;

/** `series`: `{name, at}`, where `at(sample)` is a value or null; `unit(value)`: a value in words; `isLog`: by powers of ten. */
export class Chart {
  #series;
  #unit;
  #isLog;
  #samples = [];
  #range = [0, 1];
  #pointed = null;
  #at = null;

  constructor(title, series, unit, isLog = false) {
    this.#series = series;
    this.#unit = unit;
    this.#isLog = isLog;
    this.values = h("span", { class: "values" });
    this.picture = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", tabindex: 0, "aria-label": title });
    this.picture.addEventListener("pointermove", (event) => {
      const box = this.picture.getBoundingClientRect();
      this.#point((((event.clientX - box.left) / box.width) * WIDTH - LEFT) / (WIDTH - LEFT));
    });
    this.picture.addEventListener("pointerleave", () => this.#point(null));
    this.picture.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -KEY_STEP, ArrowRight: KEY_STEP }[event.key];
      if (step) this.#point(Math.max(0, Math.min(1, (this.#pointed ?? 1) + step)));
    });
    this.element = h("figure", {}, h("figcaption", {}, h("b", {}, title), " ", this.values), this.picture);
  }

  /** Show the samples from `begin` to `end`, in seconds since the epoch. `bands`: `[begin, end, text]` each; `at`: the moment
   * whose values are told where the pointer is elsewhere; null: the newest. */
  show(samples, marks, begin, end, { bands = [], at = null } = {}) {
    this.#at = at;
    this.#samples = samples;
    this.#range = [begin, end];
    const values = samples.flatMap((sample) => this.#series.map(({ at }) => at(sample))).filter((value) => value !== null);
    const most = ceiling(values.reduce((one, other) => Math.max(one, other), 0));
    const least = this.#isLog ? floor(values.reduce((one, other) => (other > 0 ? Math.min(one, other) : one), most / 10)) : 0;
    const share = (value) => (this.#isLog ? Math.log(Math.max(value, least) / least) / Math.log(most / least) : value / most);
    const steps = this.#isLog ? powers(least, most) : [0, most / 2, most];
    const x = (at) => LEFT + ((at - begin) / (end - begin)) * (WIDTH - LEFT);
    const y = (value) => HEIGHT - BOTTOM - share(value) * (HEIGHT - BOTTOM - TOP);
    const inside = ([from, to]) => to > begin && from < end;
    fill(this.picture,
      bands.filter(inside).map(([from, to, text]) => s("rect", { x: x(Math.max(from, begin)), width: x(Math.min(to, end)) - x(Math.max(from, begin)), y: TOP, height: HEIGHT - BOTTOM - TOP, class: "band" }, s("title", {}, text))),
      steps.map((value) => [s("line", { x1: LEFT, x2: WIDTH, y1: y(value), y2: y(value), class: "grid" }), s("text", { x: LEFT - 4, y: y(value) + 4, class: "left" }, this.#unit(value))]),
      [begin, (begin + end) / 2, end].map((at, index) => s("text", { x: x(at), y: HEIGHT - 3, class: ["start", "middle", "end"][index] }, clock(at * 1000))),
      marks.filter(([at]) => at >= begin && at <= end).map(([at, command]) => s("line", { x1: x(at), x2: x(at), y1: TOP, y2: HEIGHT - BOTTOM, class: "mark" }, s("title", {}, `${clock(at * 1000)} ${command}`))),
      this.#series.map(({ at }, index) => s("path", { class: `series s${index}`, d: path(samples, at, x, y) })),
      s("line", { class: "pointer", y1: TOP, y2: HEIGHT - BOTTOM, x1: 0, x2: 0, visibility: "hidden" }));
    this.#tell();
  }

  #point(share) {
    this.#pointed = share !== null && share >= 0 ? share : null;
    this.#tell();
  }

  /** The values at the pointer, otherwise at the moment that is shown. */
  #tell() {
    const [begin, end] = this.#range;
    const at = this.#pointed === null ? this.#at : begin + this.#pointed * (end - begin);
    const wanted = at ?? end;
    const sample = this.#samples.reduce((best, each) => (best && Math.abs(best[0] - wanted) <= Math.abs(each[0] - wanted) ? best : each), null);
    fill(this.values, sample && at !== null ? `${clock(sample[0] * 1000)} ` : "", sample ? this.#series.map(({ name, at: value }, index) => h("span", { class: `key s${index}` }, `${name} ${value(sample) === null ? "–" : this.#unit(value(sample))} `)) : "no sample yet");
    const line = this.picture.querySelector(".pointer");
    const x = LEFT + ((wanted - begin) / (end - begin)) * (WIDTH - LEFT);
    line?.setAttribute("x1", x);
    line?.setAttribute("x2", x);
    line?.setAttribute("visibility", at === null ? "hidden" : "visible");
  }
}

function path(samples, at, x, y) {
  let drawn = "", last = -Infinity;
  for (const sample of samples) {
    const value = at(sample);
    if (value === null) continue;
    drawn += `${sample[0] - last > GAP_S ? "M" : "L"}${x(sample[0]).toFixed(1)} ${y(value).toFixed(1)}`;
    if (sample[0] - last > GAP_S) drawn += "h.1"; // a sample alone is a point
    last = sample[0];
  }
  return drawn;
}

/** The power of ten below, at the most. */
const floor = (value) => 10 ** Math.floor(Math.log10(value) + 1e-9);

/** Those from one value to another: four at the most, so that their labels have room. */
function powers(least, most) {
  const count = Math.floor(Math.log10(most / least) + 1e-9);
  const step = Math.ceil((count + 1) / 4);
  return Array.from({ length: Math.floor(count / step) + 1 }, (_, index) => least * 10 ** (index * step));
}

/** The next of 1, 2, 5, 10, … */
function ceiling(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}
