// Where alerts lie among benign flows, and what is nearest to one.

import { get } from "./api.js";
import { about_line, ends } from "./alerts.js";
import { el, fill, plural, table } from "./dom.js";
import { heading } from "./main.js";
import { legend, Scatter } from "./scatter.js";

const NOTHING = "no label yet";

export function alertMap() {
  let ids = [];
  let names = [];
  let changed = null;
  const key = el("div");
  const scatter = new Scatter({
    label: "Alerts and benign flows on two principal axes of the embeddings; the list of alerts says the same in words",
    name: (i) => names[i],
    pick: (i) => { if (ids[i] !== null) location.hash = `alerts?state=all&group=${ids[i]}`; },
  });
  const caption = el("p", { class: "caption" });
  const element = el("div", { class: "part map" }, el("figure", {}, scatter.element, key, caption));

  async function look() {
    const got = await get("/api/map");
    const labels = [...new Set(got.labels.filter((label) => label && label !== "benign"))].sort();
    const kind = (i) => (got.labels[i] === null ? 1 : got.labels[i] === "benign" ? 2 : 3 + labels.indexOf(got.labels[i]));
    ids = [...got.benign.map(() => null), ...got.groups];
    names = [...got.benign.map(() => "a benign flow"), ...got.groups.map((id, i) => `group ${id}: ${got.labels[i] ?? NOTHING}`)];
    scatter.set([
      ...got.benign.map(([x, y]) => ({ x, y, kind: 0, still: true })),
      ...got.places.map(([x, y], i) => ({ x, y, kind: kind(i) })),
    ]);
    const many = (label) => got.labels.filter((each) => each === label).length;
    const shown = [[0, "benign flows", got.benign.length], [1, `alerts, ${NOTHING}`, many(null)], [2, "labelled benign", many("benign")],
      ...labels.map((label, i) => [3 + i, label, many(label)])];
    fill(key, legend(shown.filter((each) => each[2])));
    caption.textContent = `Two principal axes of the ${got.benign.length ? "benign flows" : "alerts"}, ${Math.round(100 * got.explained)} % of their variance. Click an alert to open it; wheel and drag, or + - 0, to look closer.${got.benign.length ? "" : " This model keeps no benign flows; give some with --benign."}`;
    heading(plural(got.groups.length, "group on the map", "groups on the map"), "");
  }

  return {
    title: "Map",
    element,
    show: () => look().catch((error) => { caption.textContent = error.message; }),
    about(now, visible) { if (visible && changed !== null && now.changed !== changed) look().catch(() => {}); changed = now.changed; },
  };
}

// The neighbours of one group, for its place on the page.
export async function neighbours(group, slot) {
  const got = await get(`/api/groups/${group.id}/neighbours`);
  if (!slot.isConnected) return;
  const others = got.near.length - got.benign;
  const said = !got.near.length ? "Nothing to compare with yet."
    : got.has_reference ? `Of the ${got.near.length} nearest flows ${got.benign} are benign and ${others} ${others === 1 ? "is an alert" : "are alerts"}.`
      : "The nearest alerts; this model keeps no benign flows to compare with.";
  fill(slot, el("h3", {}, "Its neighbours by embedding"), el("p", { class: "quiet" }, said),
    others > 0 && table(["alert", "from, to", "label", "cosine"], got.near.filter((each) => each.group).map(({ group: near, similarity }) => [
      el("a", { href: `#alerts?state=all&group=${near.id}` }, about_line(near)), ends(near), near.label ?? "", similarity.toFixed(3),
    ]), [3]));
}
