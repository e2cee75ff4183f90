// Stanzas on their way over the map: dots on a canvas above the lines, drawn only while there are any.

import { pointOn } from "./layout.js";

const CROSSING_MS = 700;
const RADIUS = 5;
const MOST = 400;
const MOST_AT_ONCE = 4;

export class Dots {
  #canvas;
  #pen;
  #dots = [];
  #frame = 0;
  #color = "";
  #radius = RADIUS;
  #isStill = matchMedia("(prefers-reduced-motion: reduce)");

  constructor(canvas) {
    this.#canvas = canvas;
    this.#pen = canvas.getContext("2d");
  }

  /** `scale`: how large a pixel of the map is on the screen; a small map needs few pixels. */
  size(width, height, scale) {
    this.#radius = RADIUS / Math.min(scale, 1);
    const ratio = Math.min(devicePixelRatio || 1, 2) * Math.min(scale, 1);
    this.#canvas.width = width * ratio;
    this.#canvas.height = height * ratio;
    this.#canvas.style.width = `${width}px`;
    this.#canvas.style.height = `${height}px`;
    this.#pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#dots = [];
  }

  /** Send `count` dots along a curve, a few of them if they are many. `isBack`: against its direction. */
  send(curve, count, isBack) {
    if (this.#isStill.matches || document.hidden) return;
    const now = performance.now();
    const shown = Math.min(count, MOST_AT_ONCE);
    for (let each = 0; each < shown && this.#dots.length < MOST; each++) {
      this.#dots.push({ curve, isBack, begun: now + (each * 100) / shown });
    }
    if (!this.#frame && this.#dots.length) {
      this.#color = getComputedStyle(this.#canvas).color;
      this.#frame = requestAnimationFrame((at) => this.#draw(at));
    }
  }

  #draw(now) {
    const pen = this.#pen;
    pen.save();
    pen.resetTransform();
    pen.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    pen.restore();
    this.#dots = this.#dots.filter((dot) => now - dot.begun < CROSSING_MS);
    pen.fillStyle = this.#color;
    for (const { curve, isBack, begun } of this.#dots) {
      const t = Math.max(0, (now - begun) / CROSSING_MS);
      const { x, y } = pointOn(curve, isBack ? 1 - t : t);
      pen.beginPath();
      pen.arc(x, y, this.#radius, 0, 2 * Math.PI);
      pen.fill();
    }
    this.#frame = this.#dots.length ? requestAnimationFrame((at) => this.#draw(at)) : 0;
  }
}
