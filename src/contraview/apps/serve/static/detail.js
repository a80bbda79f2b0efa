// One group: who, when, why, and what can be done about it.

import { get, remove } from "./api.js";
import { bar, count, el, fill, moment, number, plural, table, toast } from "./dom.js";
import { about_line, ends, severity } from "./alerts.js";
import { neighbours } from "./map.js";
import { label, suppress } from "./teach.js";

const VIEWS = { clan: "CLAN", ecod: "ECOD", forest: "isolation forest", neighbours: "nearest neighbours" };
const SHOWN = 50;

export class Detail {
  constructor({ close, changed, about }) {
    Object.assign(this, { closed: close, changed, about });
    this.element = el("article", { class: "detail", tabindex: -1, "aria-label": "The open group" });
    this.none();
  }

  none() {
    this.id = this.group = null;
    fill(this.element, el("p", { class: "quiet none" }, "Choose a group to see why it stands out."));
  }

  close() { this.none(); this.closed(); }

  async open(id) {
    this.id = id;
    try {
      const [group, alerts] = await Promise.all([
        get(`/api/groups/${id}`), get(`/api/groups/${id}/alerts`, { limit: SHOWN }),
      ]);
      if (this.id === id) this.draw(group, alerts);
    } catch (error) {
      if (this.id === id) fill(this.element, el("p", { class: "none" }, error.message));
    }
  }

  draw(group, alerts) {
    this.group = group;
    this.alerts = alerts;
    const alert = group.strongest;
    fill(this.element,
      el("div", { class: "top" },
        el("h2", {}, severity(group.severity), " ", about_line(group)),
        el("button", { class: "close", "aria-label": "Close", on: { click: () => this.close() } }, "✕")),
      el("p", { class: "ends" }, ends(group)),
      el("div", { class: "actions" }, this.actions(group)),
      facts(group, alert),
      el("h3", {}, "What each view says of the strongest flow"),
      views(alert),
      el("h3", {}, "The columns that would calm the detector most"),
      reasons(alert),
      el("div", { class: "slot" }),
      group.flows > 1 && el("h3", {}, group.flows > SHOWN ? `The first ${SHOWN} of ${plural(group.flows, "alert")}` : plural(group.flows, "alert")),
      group.flows > 1 && members(alerts));
    this.element.scrollTop = 0;
    neighbours(group, this.element.querySelector(".slot")).catch(() => {}); // it says why it stands out without them
  }

  actions(group) {
    const button = (text, key, act) => el("button", { "data-does": text.toLowerCase(), title: `key: ${key}`, on: { click: act } }, text);
    return [
      button("Suppress", "s", () => this.suppress()), button("Benign", "b", () => this.label("benign")),
      button("Attack", "a", () => this.label("attack")),
      group.label && el("button", { on: { click: () => this.attempt(async () => { await remove(`/api/labels/${this.labelled()}`); this.again(); }) } }, "Take label back"),
    ];
  }

  labelled() { return this.alerts.find((alert) => alert.label)?.id ?? this.group.strongest.id; }

  suppress() { if (this.group) suppress(this.group, () => this.again()); }

  label(verdict) { if (this.group) label(this.group, verdict, () => this.again()); }

  async again() {
    this.changed();
    if (this.id) await this.open(this.id);
  }

  async attempt(work) {
    try { return await work(); } catch (error) { toast(error.message); return null; }
  }
}

function facts(group, alert) {
  const span = moment(group.first) === moment(group.last) ? moment(group.last)
    : `${moment(group.first)} to ${moment(group.last)}`;
  const packets = alert.packets?.[0] === null ? null : `${count(alert.packets[0])} sent, ${count(alert.packets[1])} received`;
  const rows = [
    ["When, UTC", span],
    group.flows > 1 && ["Flows", `${count(group.flows)}, ${plural(group.destinations, "destination")}, ${plural(group.ports, "port")}`],
    ["Strongest", `${number(alert.score)} nats, threshold ${number(alert.threshold)}`],
    group.flows > 1 && ["Its flow", `${alert.src ?? "?"} port ${alert.src_port ?? "?"} → ${alert.dst ?? "?"} port ${alert.dst_port ?? "?"}`],
    packets && ["Its packets", packets],
    alert.rule && ["Breaks the rule of", alert.rule.replaceAll(",", ", ")],
    alert.attack && ["Looks like", alert.attack === "unknown" ? "none of the attacks it can name" : alert.attack],
    group.label && ["Labelled", group.label],
    group.suppressed && ["Suppressed by", group.suppressed],
    alert.community_id && ["Community ID", el("code", {}, alert.community_id)],
  ].filter(Boolean);
  return el("dl", { class: "facts" }, rows.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function views(alert) {
  const top = Math.max(alert.threshold, ...Object.values(alert.views), 1e-9);
  const rows = Object.entries(alert.views).map(([name, value]) =>
    [VIEWS[name] ?? name, bar(value / top, true), number(Number(value.toFixed(2)))]);
  rows.push([el("span", { class: "quiet" }, "threshold of the score"), el("span", { class: "threshold", vars: { share: (alert.threshold / top).toFixed(4) } }), number(Number(alert.threshold.toFixed(2)))]);
  return table(["view", "", "nats"], rows, [2]);
}

function reasons(alert) {
  const shown = alert.reasons.filter((reason) => reason.effect > 0);
  if (!shown.length) return el("p", { class: "quiet" }, "None alone: only the combination is unusual.");
  const top = Math.max(...shown.map((reason) => reason.effect));
  return table(["column", "this flow", "usual", "benign flows at or below", "effect, nats"], shown.map((reason) => [
    el("code", {}, reason.column), number(reason.value), number(reason.usual), percentile(reason),
    el("span", { class: "of-bar" }, bar(reason.effect / top), reason.effect.toFixed(2)),
  ]), [1, 2, 3, 4]);
}

function percentile(reason) {
  const p = reason.percentile;
  if (typeof reason.usual === "string") return `${Number(p.toPrecision(3))} % have it`;
  const place = el("span", { class: "percentile", vars: { at: (p / 100).toFixed(4) }, "aria-hidden": "true" });
  return [place, p > 99.9 ? (p < 100 ? "all but a few" : "all") : `${p.toFixed(1)} %`];
}

function members(alerts) {
  return table(["time, UTC", "from", "to", "score"], alerts.map((alert) => [
    moment(alert.time), `${alert.src ?? "?"}:${alert.src_port ?? "?"}`, `${alert.dst ?? "?"}:${alert.dst_port ?? "?"}`,
    alert.score.toFixed(2),
  ]), [3]);
}
