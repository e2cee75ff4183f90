// What is known of the lab: named values, and the stanzas that passed. Bounded.

export const state = new Map();
/** Trace id to `{id, kind, from, to, hops}`; the newest last. */
export const traces = new Map();
export const done = [];

const MAX_TRACES = 1000;
const MAX_HOPS = 60;
const MAX_DONE = 50;
const SETTLED_MS = 700;
const FAILED = new Set(["bounced", "dropped", "lost"]);
const listeners = new Set();

/** `listener(event)` is called with each event, after it was stored. */
export const listen = (listener) => listeners.add(listener);

export function forget() {
  state.clear();
}

export function take(event) {
  for (const [key, value] of Object.entries(event.state ?? {})) {
    if (value === null) state.delete(key);
    else state.set(key, value);
  }
  for (const row of event.hops ?? []) keep(row);
  for (const said of event.said ?? []) {
    if (said.what === "done") {
      done.unshift({ ...said, at: Date.now() });
      done.length = Math.min(done.length, MAX_DONE);
    }
  }
  for (const listener of listeners) listener(event);
}

/** The values whose names begin with this word, without it: `of("node")`. */
export function* of(word, values = state) {
  for (const [key, value] of values) if (key.startsWith(`${word} `)) yield [key.slice(word.length + 1), value];
}

export const planOf = (values) => values.get("plan") ?? { domains: [], gateways: [], networks: [], faults: {} };
export const plan = () => planOf(state);
export const isDown = () => state.get("lab")?.up === false;
/** In place of links where there are none. */
export const noLinks = () => (isDown() ? "the lab is down" : "nothing has crossed the router yet");

function keep([id, node, event, at, kind, from, to, size, detail, reason]) {
  if (!kind) return; // a note about several stanzas
  const trace = traces.get(id) ?? { id, kind, from, to, hops: [] };
  traces.delete(id);
  traces.set(id, trace);
  if (trace.hops.length < MAX_HOPS) trace.hops.push({ node, event, at, size, detail, reason });
  trace.hops.sort((one, other) => one.at - other.at);
  if (traces.size > MAX_TRACES) traces.delete(traces.keys().next().value);
}

/** Know the stanzas of these hops, and no others. */
export function replace(rows) {
  traces.clear();
  for (const row of rows) keep(row);
}

/** What became of a stanza, as far as its hops tell: `{word, text, ms}`. */
export function outcome(trace, now = Date.now()) {
  const hops = trace.hops;
  const last = hops.at(-1);
  const ms = last.at - hops[0].at;
  const failed = hops.findLast((hop) => FAILED.has(hop.event));
  if (failed) return { word: "failed", text: failed.event, ms };
  const arrived = hops.findLast((hop) => hop.event === "delivered" || hop.event === "stored");
  if (arrived) return { word: arrived.event, text: arrived.event, ms };
  if (trace.kind !== "message" && (last.event === "received" || last.event === "dequeued")) return { word: "taken", text: "taken", ms };
  const waited = now - last.at;
  if (waited < SETTLED_MS) return { word: "under way", text: "under way", ms };
  return { word: "waits", text: last.node === "router" ? "waits in the router" : `waits at ${last.node}`, ms: waited };
}

/** The server node's server, a gateway's server, or the network of one of its people: the card of the map. */
export function places() {
  const found = new Map();
  const { domains, gateways, networks } = plan();
  for (const domain of domains) for (const node of domain.nodes) found.set(node, domain.server);
  for (const gateway of gateways) found.set(gateway.name, gateway.server);
  for (const network of networks) {
    found.set(network.name, network.name);
    for (const person of Object.keys(network.people)) found.set(person, network.name);
  }
  return found;
}

export const bare = (jid) => jid.split("/", 1)[0];
