// The report of a run in one file: what was measured, where the time went, and charts over its seconds.

import { Chart } from "./chart.js";
import { h } from "./dom.js";
import { clock, number, span } from "./words.js";

const MAX_SERIES = 8; // as many colours as there are
const period = JSON.parse(document.getElementById("period").textContent);
const plain = (value) => (Number.isInteger(value) ? `${value}` : number(value));
const duration = (ms) => (ms > 0 && ms < 0.1 ? `${(ms * 1000).toFixed(0)} µs` : span(ms));

// title, the part of a second that has the values by their names, a value of it, in words, and whether by powers of ten
const CHARTS = [
  ["Messages per second", "measured", (each) => each.count, plain],
  ["Failed per second", "measured", (each) => each.failed || null, plain],
  ["Time to arrive, median", "measured", (each) => each.p50_ms, duration, true],
  ["Time to arrive, 99th percentile", "measured", (each) => each.p99_ms, duration, true],
  ["Where the time went, median", "hops", (each) => each.p50_ms, duration, true],
  ["Where the time went, 99th percentile", "hops", (each) => each.p99_ms, duration, true],
  ["Batches over links per second", "links", ([written]) => written, plain],
  ["Batches that wait on links", "links", ([, waiting]) => waiting, plain],
  ["Processor", "nodes", ([, cpu]) => cpu, (value) => `${plain(value)} %`],
  ["Memory", "nodes", ([, , memory]) => (memory === null ? null : memory / 2 ** 20), (value) => `${value.toFixed(0)} MiB`],
];

const begin = period.begin_utc_s;
const seconds = period.seconds;
const end = begin + Math.max(1, ...seconds.slice(-1).map(({ second }) => second + 1));

document.body.append(
  h("h1", {}, period.title),
  h("p", { class: "dim" }, `${period.lab ? `Lab ${period.lab}, ` : ""}${new Date(begin * 1000).toLocaleString([], { hour12: false })}, ${end - begin} seconds.`),
  h("div", { class: "tables" }, table("What was measured", period.measured), table("Where the time went, of stanzas that were followed", period.hops)),
  h("div", { class: "charts" }, CHARTS.map((each) => chart(...each))),
  h("section", {}, h("h2", {}, "What was done, and what happened"),
    h("ul", { class: "rows log" }, period.marks.map(({ at_utc_s: at, what }) => h("li", {}, h("span", { class: "dim" }, `${clock(at * 1000)} (${(at - begin).toFixed(1)} s)`), " ", h("code", {}, what))),
      period.marks.length ? null : h("li", { class: "dim" }, "nothing")),
    h("p", { class: "dim" }, "Vertical lines mark what was done; a red background marks a process that was not running. The time of a message is shown at the second in which it was due.")));

function table(title, totals) {
  if (!totals.length) return null;
  const hasFailed = totals.some(({ failed }) => failed);
  const cells = ["count", ...(hasFailed ? ["failed"] : []), "p50_ms", "p95_ms", "p99_ms", "max_ms"];
  const shown = (value, name) => (value === null ? "–" : name.endsWith("_ms") ? duration(value) : value.toLocaleString());
  return h("section", { class: "wide" }, h("h2", {}, title), h("table", {},
    h("thead", {}, h("tr", {}, h("th", {}, ""), cells.map((name) => h("th", {}, name.replace("_ms", ""))))),
    h("tbody", {}, totals.map((total) => h("tr", {}, h("td", {}, total.name), cells.map((name) => h("td", {}, shown(total[name], name))))))));
}

/** The series with the highest values; null without any. */
function chart(title, part, value, unit, isLog = false) {
  const peaks = new Map();
  for (const second of seconds) {
    for (const [name, each] of Object.entries(second[part])) {
      const found = value(each);
      if (found !== null) peaks.set(name, Math.max(peaks.get(name) ?? 0, found));
    }
  }
  const names = [...peaks].sort(([, one], [, other]) => other - one).slice(0, MAX_SERIES).map(([name]) => name).sort();
  if (!names.length) return null;
  const missing = part === "links" ? 0 : null; // a link that has nothing to tell is left out of a row
  const samples = seconds.filter((second) => part === "measured" || Object.keys(second.nodes).length)
    .map((second) => [begin + second.second + 0.5, ...names.map((name) => (second[part][name] === undefined ? missing : value(second[part][name])))])
    .filter((sample) => sample.some((each, index) => index > 0 && each !== null));
  const drawn = new Chart(title, names.map((name, index) => ({ name, at: (sample) => sample[index + 1] })), unit, isLog);
  drawn.show(samples, period.marks.map(({ at_utc_s: at, what }) => [at, what]), begin, end, { bands: bands() });
  if (peaks.size > names.length) drawn.element.append(h("p", { class: "dim" }, `and ${peaks.size - names.length} more with lower values`));
  return drawn.element;
}

/** The times in which a process was not running: the state of a row is that at the end of its second. */
function bands() {
  const open = new Map(), found = [];
  for (const { second, nodes } of seconds) {
    for (const [name, [state]] of Object.entries(nodes)) {
      if (state === "running") open.delete(name);
      else if (open.has(name)) open.get(name)[1] = begin + second + 1.5;
      else {
        open.set(name, [begin + second + 0.5, begin + second + 1.5, `${name} is ${state}`]);
        found.push(open.get(name));
      }
    }
  }
  return found;
}
