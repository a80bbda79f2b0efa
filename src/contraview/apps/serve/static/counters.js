// What the watcher has seen and done, and what it said of itself.

import { get } from "./api.js";
import { count, el, fill, moment, table } from "./dom.js";
import { heading } from "./main.js";

const TILES = {
  flows: "flows judged", alerts: "alerts", received: "records or packets read", malformed: "could not be read",
  dropped: "lost before being read", late: "more than ten minutes late", queued: "wait to be read", health: "health alerts",
};

export function counters() {
  const tiles = el("div", { class: "tiles" });
  const health = el("div");
  const element = el("div", { class: "part" }, tiles, el("section", {}, el("h2", {}, "Health"), health));
  let last = null;

  async function look() {
    const said = await get("/api/health");
    fill(health, said.length
      ? table(["time, UTC", "what", "said"], said.map((each) => [moment(each.time), each.sort, each.message]))
      : el("p", { class: "quiet" }, "Nothing to report: no gap, no drop, no change of columns, clock or model."));
  }

  return {
    title: "Counters",
    element,
    show: look,
    about(now, visible) {
      if (!visible) return;
      heading(`${count(now.counters.flows)} flows judged`, now.said ?? "");
      fill(tiles, Object.entries(TILES).map(([name, said]) => el("div", { class: "tile" },
        el("span", { class: "name" }, said), el("b", {}, now.counters[name] === undefined ? "–" : count(now.counters[name])),
        name === "queued" && el("small", {}, now.counters.unit ?? ""))));
      if (now.changed !== last) { last = now.changed; look(); }
    },
  };
}
