// What has changed since the fit, period by period, and what to do about it.

import { get, post } from "./api.js";
import { count, el, fill, table, toast } from "./dom.js";
import { heading } from "./main.js";

const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 2 : 1)} %`;

export function drift() {
  const result = el("div");
  const by = el("select", { "aria-label": "By" }, ["day", "hour", "week"].map((each) => el("option", { value: each }, `by ${each}`)));
  const element = el("div", { class: "part" },
    el("div", { class: "filters" }, by, el("button", { class: "main", "data-does": "measure", on: { click: begin } }, "Measure now")), result);

  async function begin() {
    try { await post(`/api/drift?by=${by.value}`); look(); } catch (error) { toast(error.message); }
  }

  async function look() {
    const got = await get("/api/drift");
    if (got.state === "measuring") {
      fill(result, el("p", { class: "quiet" }, "Reading everything that is watched…"));
      if (element.isConnected) setTimeout(look, 1000);
    } else if (got.state === "failed") fill(result, el("p", {}, got.detail));
    else if (got.state === "none") fill(result, el("p", { class: "quiet" }, "Not measured yet. It reads the whole source once, in the background."));
    else draw(got.drift, got.of);
  }

  function draw(found, of) {
    heading(found.advice === "nothing" ? "Nothing to do" : `Advice: ${found.advice}`, `drift of ${of}`);
    const news = (list) => list.slice(0, 4).map((each) => `${each.name} (${percent(each.share)})`).join(", ");
    fill(result,
      found.rules[found.advice] && el("p", { class: "rule" }, found.advice === "nothing" ? `${found.rules.nothing}.`
        : `The false alarms should lie in the interval that the calibration foretells; ${found.rules[found.advice]}.`),
      table(["period, UTC", "flows", "alerts", "foretold, 95 %", "scores moved", "inputs moved", "new", "advice"], found.periods.map((p) => [
        p.name, count(p.flows), `${count(p.alerts)} (${percent(p.rate)})`, `${count(p.expected[0])} to ${count(p.expected[1])}`,
        p.scores.toFixed(2), p.moved.length ? `${p.moved.length}: ${p.moved.slice(0, 3).join(", ")}` : "none",
        news([...p.services, ...p.categories]) || "nothing", p.advice,
      ]), [1, 2, 3, 4]),
      el("p", { class: "caption" }, `Stability index: up to ${found.bounds.stable} is stable, from ${found.bounds.moved} it has moved. `,
        found.labelled ? "Only flows that the source says are benign count." : "All flows count as benign here, attacks too.",
        " Brought up to date with ", el("code", {}, "contraview refit"), "."));
  }

  return { title: "Drift", element, show() { heading("Drift", ""); look().catch((error) => toast(error.message)); } };
}
