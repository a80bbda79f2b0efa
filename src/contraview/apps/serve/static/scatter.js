// Points on two axes: coloured and shaped by group, moved and enlarged, clicked.

import { el } from "./dom.js";

const SHAPES = 6;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export class Scatter {
  // pick(i) is called with the number of the point that was clicked; name(i) tells it in words.
  constructor({ pick, name, label }) {
    Object.assign(this, { pick, name });
    this.points = [];
    this.chosen = null;
    this.near = [];
    this.view = { x: 0, y: 0, k: 1 };
    this.canvas = el("canvas", { tabindex: 0, role: "img", "aria-label": label });
    this.tip = el("div", { class: "tip", hidden: true });
    this.element = el("div", { class: "scatter" }, this.canvas, this.tip);
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  // points: [{x, y, kind}], kind 0 is the quiet cloud, 1 and more are groups.
  set(points) {
    this.points = points;
    const xs = points.map((p) => p.x), ys = points.map((p) => p.y);
    const low = (v) => v.reduce((a, b) => Math.min(a, b), Infinity);
    const high = (v) => v.reduce((a, b) => Math.max(a, b), -Infinity);
    this.box = points.length ? [low(xs), high(xs), low(ys), high(ys)] : [0, 1, 0, 1];
    this.draw();
  }

  listen() {
    let held = null;
    this.canvas.addEventListener("pointerdown", (event) => {
      held = { x: event.offsetX, y: event.offsetY, moved: false };
      this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!held) return this.point(event);
      const dx = event.offsetX - held.x, dy = event.offsetY - held.y;
      if (!held.moved && Math.hypot(dx, dy) < 4) return undefined;
      Object.assign(held, { moved: true, x: event.offsetX, y: event.offsetY });
      this.view.x += dx;
      this.view.y += dy;
      return this.draw();
    });
    this.canvas.addEventListener("pointerup", (event) => {
      const moved = held?.moved;
      held = null;
      if (moved) return;
      const i = this.at(event.offsetX, event.offsetY);
      if (i !== null) this.pick(i);
    });
    this.canvas.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
    }, { passive: false });
    this.canvas.addEventListener("keydown", (event) => {
      const w = this.canvas.clientWidth / 2, h = this.canvas.clientHeight / 2;
      if (event.key === "+") this.zoom(1.25, w, h);
      else if (event.key === "-") this.zoom(0.8, w, h);
      else if (event.key === "0") { this.view = { x: 0, y: 0, k: 1 }; this.draw(); }
    });
  }

  zoom(by, x, y) {
    const k = Math.min(Math.max(this.view.k * by, 1), 200);
    const f = k / this.view.k;
    this.view = { x: x - (x - this.view.x) * f, y: y - (y - this.view.y) * f, k };
    if (k === 1) this.view = { x: 0, y: 0, k: 1 };
    this.draw();
  }

  place(p) {
    const [x0, x1, y0, y1] = this.box;
    const pad = 18, w = this.canvas.clientWidth - 2 * pad, h = this.canvas.clientHeight - 2 * pad;
    const scale = Math.min(w / Math.max(x1 - x0, 1e-9), h / Math.max(y1 - y0, 1e-9));
    const left = pad + (w - scale * (x1 - x0)) / 2, top = pad + (h - scale * (y1 - y0)) / 2;
    const { x, y, k } = this.view;
    return [x + k * (left + (p.x - x0) * scale), y + k * (top + (y1 - p.y) * scale)];
  }

  at(x, y) {
    let best = null, least = 14 ** 2;
    for (let i = 0; i < this.points.length; i++) {
      if (this.points[i].still) continue;
      const [px, py] = this.place(this.points[i]);
      const d = (px - x) ** 2 + (py - y) ** 2;
      if (d < least) { least = d; best = i; }
    }
    return best;
  }

  point(event) {
    const i = this.at(event.offsetX, event.offsetY);
    this.canvas.style.cursor = i === null ? "grab" : "pointer";
    this.tip.hidden = i === null;
    if (i === null) return;
    this.tip.textContent = this.name(i);
    this.tip.style.left = `${Math.min(event.offsetX + 12, this.canvas.clientWidth - 160)}px`;
    this.tip.style.top = `${event.offsetY + 12}px`;
  }

  draw() {
    const width = this.canvas.clientWidth, height = this.canvas.clientHeight;
    if (!width || !height) return;
    const dense = devicePixelRatio || 1;
    this.canvas.width = width * dense;
    this.canvas.height = height * dense;
    const pen = this.canvas.getContext("2d");
    pen.scale(dense, dense);
    const kinds = new Map();
    this.points.forEach((p, i) => {
      if (!kinds.has(p.kind)) kinds.set(p.kind, []);
      kinds.get(p.kind).push(i);
    });
    const size = Math.max(2, 4.4 - this.points.length / 8000) * Math.min(1.6, Math.sqrt(this.view.k));
    for (const kind of [...kinds.keys()].sort((a, b) => a - b)) {
      pen.fillStyle = kindColour(kind);
      pen.globalAlpha = kind === 0 ? 0.4 : 0.78;
      for (const i of kinds.get(kind)) {
        const [x, y] = this.place(this.points[i]);
        if (x > -9 && y > -9 && x < width + 9 && y < height + 9) shape(pen, kind, x, y, kind === 0 ? size * 0.8 : size);
      }
    }
    pen.globalAlpha = 1;
    pen.lineWidth = 2;
    pen.strokeStyle = colour("ink");
    for (const i of this.near) this.ring(pen, i, 6, 1.2);
    if (this.chosen !== null && this.points[this.chosen]) this.ring(pen, this.chosen, 9, 2.4);
  }

  ring(pen, i, radius, width) {
    const [x, y] = this.place(this.points[i]);
    pen.lineWidth = width;
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.stroke();
  }
}

export const kindColour = (kind) => colour(kind === 0 ? "quiet" : `kind-${((kind - 1) % 8) + 1}`);

function shape(pen, kind, x, y, r) {
  pen.beginPath();
  if (kind === 0 || kind % SHAPES === 1) pen.arc(x, y, r, 0, 2 * Math.PI);
  else if (kind % SHAPES === 2) pen.rect(x - r * 0.9, y - r * 0.9, r * 1.8, r * 1.8);
  else if (kind % SHAPES === 3) corners(pen, x, y, r * 1.25, 3, -Math.PI / 2);
  else if (kind % SHAPES === 4) corners(pen, x, y, r * 1.25, 4, 0);
  else if (kind % SHAPES === 5) corners(pen, x, y, r * 1.25, 3, Math.PI / 2);
  else corners(pen, x, y, r * 1.2, 5, -Math.PI / 2);
  pen.fill();
}

function corners(pen, x, y, r, n, turn) {
  for (let i = 0; i < n; i++) pen.lineTo(x + r * Math.cos(turn + (2 * Math.PI * i) / n), y + r * Math.sin(turn + (2 * Math.PI * i) / n));
  pen.closePath();
}

// What each colour and shape stands for; drawn by the same pen as the points.
export function legend(names) {
  return el("ul", { class: "legend" }, names.map(([kind, name, many]) => {
    const mark = el("canvas", { width: 28, height: 28, "aria-hidden": "true" });
    const pen = mark.getContext("2d");
    pen.scale(2, 2);
    pen.fillStyle = kindColour(kind);
    shape(pen, kind, 7, 7, 4.4);
    return el("li", {}, mark, name, many === undefined ? null : el("span", { class: "quiet" }, ` ${many.toLocaleString("en")}`));
  }));
}
