// Where the cards of the map are: positions by the number of domains and the shape of the window. Pure.

/** More domains are drawn as small cards around a circle. */
export const MOST_WHOLE = 9;
const GAP = 28;
const CELL = { width: 140, height: 19 };

/** `cards`: `{name, width, height, below}`, where `below` is a server for a network. Returns `{width, height, at, curve}`. */
export function arrange(cards, width, height) {
  const domains = cards.filter((card) => !card.below);
  if (domains.length > MOST_WHOLE) return circle(cards, width, height);
  return width < 620 ? column(cards, width) : ring(domains, cards.filter((card) => card.below), width, height);
}

/** Domains around an ellipse, networks in a row below. */
function ring(domains, networks, width, height) {
  const at = new Map();
  const row = networks.length ? Math.max(...networks.map((card) => card.height)) + 2 * GAP : 0;
  const widest = Math.max(...domains.map((card) => card.width));
  const highest = Math.max(...domains.map((card) => card.height));
  const rows = Math.ceil(domains.length / 2);
  const all = Math.max(height, rows * (highest + 2 * GAP) + row + GAP);
  const upper = all - row;
  const radiusX = Math.max(0, Math.min((width - widest) / 2 - GAP, 260 + 40 * domains.length));
  const radiusY = Math.max(0, (upper - highest) / 2 - GAP);
  const start = Math.PI * (1.5 - 1 / domains.length);
  domains.forEach((card, index) => {
    const angle = start + (index * 2 * Math.PI) / domains.length;
    const single = domains.length === 1;
    at.set(card.name, {
      x: width / 2 + (single ? 0 : radiusX * Math.cos(angle)),
      y: upper / 2 + (single ? 0 : radiusY * Math.sin(angle)),
    });
  });
  networks.forEach((card, index) => {
    at.set(card.name, { x: ((index + 0.5) * width) / networks.length, y: all - row / 2 });
  });
  alignBelow(networks, at, width);
  return { width, height: all, at, curve: straight };
}

/** A network goes below its server where there is room for it. */
function alignBelow(networks, at, width) {
  let free = GAP / 2;
  const wanted = networks.map((card) => ({ card, x: at.get(card.below)?.x ?? width / 2 })).sort((one, other) => one.x - other.x);
  const total = wanted.reduce((sum, { card }) => sum + card.width + GAP, 0);
  if (total > width) return;
  let rest = total;
  for (const { card, x } of wanted) {
    const most = width - rest + GAP / 2;
    const left = Math.max(free, Math.min(x - card.width / 2, most));
    at.get(card.name).x = left + card.width / 2;
    free = left + card.width + GAP;
    rest -= card.width + GAP;
  }
}

/** One below the other; lines run on the right side, so that none crosses a card. */
function column(cards, width) {
  const at = new Map();
  const ordered = cards.filter((card) => !card.below).flatMap((card) => [card, ...cards.filter((each) => each.below === card.name)]);
  let y = GAP / 2;
  for (const card of ordered) {
    at.set(card.name, { x: card.width / 2 + 8, y: y + card.height / 2, right: card.width + 8, row: ordered.indexOf(card) });
    y += card.height + GAP;
  }
  const right = Math.max(...ordered.map((card) => card.width)) + 8;
  const room = Math.max(40, width - right - 24);
  const curve = (one, other) => {
    const far = 2 * Math.min(room, 34 * Math.abs(one.row - other.row));
    const from = { x: one.right, y: one.y + 8 }, to = { x: other.right, y: other.y - 8 };
    return { from, to, through: { x: Math.max(from.x, to.x) + far, y: (from.y + to.y) / 2 } };
  };
  return { width, height: y, at, curve };
}

/** Many domains: small cards around a circle, like the hours of a clock, with the lines inside. */
function circle(cards, width, height) {
  const at = new Map();
  const radius = Math.max((cards.length * CELL.height) / (2 * Math.PI), 150);
  const middle = radius + CELL.width;
  cards.forEach((card, index) => {
    const angle = (index * 2 * Math.PI) / cards.length - Math.PI / 2;
    at.set(card.name, { x: middle + radius * Math.cos(angle), y: middle + radius * Math.sin(angle), angle });
  });
  const chord = (from, to) => {
    const pulled = (one, other) => middle + ((one + other) / 2 - middle) * 0.25;
    return { from, to, through: { x: pulled(from.x, to.x), y: pulled(from.y, to.y) } };
  };
  return { width: 2 * middle, height: 2 * middle, at, curve: chord, scale: Math.min(width / (2 * middle), height / (2 * middle), 1.2) };
}

const straight = (one, other) => ({ from: one, to: other, through: { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 } });

/** The point of a quadratic Bézier curve at `t` from 0 to 1. */
export function pointOn({ from, through, to }, t) {
  const u = 1 - t;
  return {
    x: u * u * from.x + 2 * u * t * through.x + t * t * to.x,
    y: u * u * from.y + 2 * u * t * through.y + t * t * to.y,
  };
}
