// The run's curves: loss and effective rank over the steps of each training.

import { get } from "./api.js";
import { el, fill, number } from "./dom.js";
import { heading } from "./main.js";

const SVG = "http://www.w3.org/2000/svg";
const W = 640, H = 220, LEFT = 56, BOTTOM = 26;

function svg(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  for (const child of children.flat(Infinity)) made.append(child);
  return made;
}

function chart(title, lines) {
  const points = lines.flatMap((line) => line.points);
  if (!points.length) return null;
  const xs = points.map(([x]) => x), ys = points.map(([, y]) => y);
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  let [y0, y1] = [Math.min(0, ...ys), Math.max(...ys)];
  if (y1 === y0) y1 = y0 + 1;
  const x = (v) => LEFT + ((W - LEFT - 10) * (v - x0)) / Math.max(x1 - x0, 1);
  const y = (v) => 10 + (H - BOTTOM - 10) * (1 - (v - y0) / (y1 - y0));
  const text = (said, at, down, end) => svg("text", { x: at, y: down, "text-anchor": end, class: "axis" }, said);
  const levels = [0, 0.5, 1].map((f) => y0 + f * (y1 - y0));
  return el("figure", {},
    el("h3", {}, title),
    svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": title },
      levels.map((v) => [svg("line", { x1: LEFT, x2: W - 10, y1: y(v), y2: y(v), class: "grid" }), text(number(v), LEFT - 8, y(v) + 4, "end")]),
      text(number(x0), LEFT, H - 6, "start"), text(`step ${number(x1)}`, W - 10, H - 6, "end"),
      lines.map((line, i) => svg("path", { d: line.points.map(([a, b], n) => `${n ? "L" : "M"}${x(a).toFixed(1)} ${y(b).toFixed(1)}`).join(""), class: `curve kind-${(i % 8) + 1}` })),
      lines.map((line, i) => (line.points.length > 40 ? [] : line.points.map(([a, b]) => svg("circle", { cx: x(a), cy: y(b), r: 3, class: `dots kind-${(i % 8) + 1}` }))))),
    lines.length > 1 && el("p", { class: "caption" }, lines.map((line, i) => [el("i", { class: `swatch kind-${(i % 8) + 1}` }), ` ${line.name}  `])));
}

export function curves() {
  const element = el("div", { class: "part curves" });
  return {
    title: "Run",
    element,
    async show() {
      heading("The run's curves", "");
      const runs = Object.entries(await get("/api/curves"));
      const of = (what) => runs.map(([name, steps]) => ({ name, points: steps.filter((s) => typeof s[what] === "number").map((s) => [s.step, s[what]]) })).filter((line) => line.points.length);
      const shown = [chart("Loss", of("loss")), chart("Effective rank of the embeddings: a fall towards 1 would be a collapse", of("rank"))].filter(Boolean);
      fill(element, shown.length ? shown : el("p", { class: "quiet" }, "The model folder keeps no events of its training; `contraview fit` writes them."));
    },
  };
}
