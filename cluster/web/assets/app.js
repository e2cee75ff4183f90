// The page: its views, and what goes from one to another.

import { AdminView } from "./admin.js";
import { firstView, follow } from "./api.js";
import { ChatView } from "./chat.js";
import { button } from "./dom.js";
import { LabView } from "./lab.js";
import { LabMap } from "./map.js";
import { forget, listen, of, state, take } from "./store.js";
import { TimeView } from "./time.js";
import { TraceView } from "./trace.js";

const $ = (id) => document.getElementById(id);
const VIEWS = { map: "Map", lab: "Lab", trace: "Trace", chat: "Chat", time: "Time", admin: "Admin" };

const go = {
  node(name) { map.select(`node ${name}`); lab.node(name); show("lab"); },
  link(one, other) { map.select(`link ${one} ${other}`); lab.link(one, other); show("lab"); },
  all() { map.select(""); lab.all(); },
  trace(id, ends) { show("trace"); trace.open(id ? { id } : ends); },
  accounts(domain) { show("admin"); admin.accountsOf(domain); },
  past(found, at) {
    map.show(found, at);
    if (isRecorded()) trace.past(at);
  },
  step(by) { time.step(by); },
  now() { time.now(); map.show(); },
  async talk(who, peer = "") {
    show("chat");
    if (peer) await chat.open(peer, who); // online before somebody can write to it
    await chat.open(who, peer);
  },
};

const map = new LabMap($("map"), go);
const lab = new LabView($("lab"), go);
const trace = new TraceView($("trace"), go);
const chat = new ChatView($("chat"), go);
const time = new TimeView($("time"), go);
const admin = new AdminView($("admin"), go);

/** The lab was down before the page was opened. */
const isRecorded = () => state.get("lab")?.up === false && of("node").next().done;

const tabs = Object.entries(VIEWS).map(([view, name]) => {
  const tab = button(name, () => { if (view === "lab") go.all(); show(view); }, { "data-view": view });
  $("views").append(tab);
  return tab;
});

function show(view) {
  const isChange = document.body.dataset.view !== view;
  document.body.dataset.view = view;
  for (const tab of tabs) tab.setAttribute("aria-current", tab.dataset.view === view ? "page" : "false");
  for (const each of document.querySelectorAll(".view")) each.hidden = each.id !== view && !(view === "map" && each.id === "lab");
  if (isChange) $("dock").scrollTop = 0;
  if (view === "trace") trace.show();
  if (view === "admin") admin.load();
  if (view === "time") time.load();
}

function tell(text) {
  $("banner").textContent = text;
  $("banner").hidden = text === "";
  document.body.classList.toggle("stale", text !== "");
}

listen((event) => {
  map.update(event);
  lab.update(event);
  trace.update(event);
  chat.update(event);
  time.update(event);
  admin.update(event);
  const now = state.get("lab");
  if (!now || !event.state?.lab) return;
  $("name").textContent = now.name;
  document.title = `${now.name} · xmpplab`;
  $("state").textContent = now.up ? "up" : "down";
  $("state").className = now.up ? "badge good" : "badge bad";
  tell(now.up ? "" : `${now.why}. ${isRecorded() ? "Time and Trace show what was recorded of it." : "What you see is its last state."}`);
  if (isRecorded()) show("time");
});

show(firstView in VIEWS ? firstView : "lab");
follow({
  begin() { forget(); tell(""); chat.load(); chat.restore(); },
  take,
  broken(text) { $("state").textContent = "no connection"; $("state").className = "badge bad"; tell(text); },
});
