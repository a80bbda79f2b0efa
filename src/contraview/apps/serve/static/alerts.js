// Alerts as they come: filters, the list of groups, and the one that is open.

import { get } from "./api.js";
import { count, el, fill, number, plural, when } from "./dom.js";
import { Detail } from "./detail.js";
import { VirtualList } from "./list.js";
import { heading, remember } from "./main.js";
import { counters } from "./counters.js";
import { alertMap } from "./map.js";
import { drift } from "./drift.js";
import { taught } from "./teach.js";

const STATES = { open: "open", suppressed: "suppressed", labelled: "labelled", all: "all" };
const ORDERS = { newest: "newest first", strongest: "strongest first" };
const SEVERITY = {
  1: "a hundred times rarer on benign traffic than the threshold asks",
  2: "ten times rarer than the threshold asks", 3: "above the threshold", 4: "a rule alone",
};

export function make(about) {
  return { alerts: alerts(about), map: alertMap(), taught: taught(), drift: drift(), counters: counters() };
}

export const severity = (level) => el("span", { class: `severity s${level}`, title: SEVERITY[level] }, level);

export function about_line(group) {
  return group.is_rule ? `rule: ${group.about}` : group.about || "score alone";
}

export function ends(group) {
  const far = group.destinations > 1 ? plural(group.destinations, "destination") : group.dst ?? "?";
  const port = group.ports > 1 ? `, ${plural(group.ports, "port")}` : group.port === null ? "" : ` port ${group.port}`;
  return `${group.src ?? "?"} → ${far}${port}${group.proto ? ` ${group.proto.toLowerCase()}` : ""}`;
}

function alerts(about) {
  const wanted = { text: "", severity: [], state: "open", order: "newest" };
  let until = null;
  let newest = 0;
  let changed = about.changed;
  let open = null;

  const text = el("input", {
    type: "search", placeholder: "address, port, protocol, reason", "aria-label": "Filter by text",
    on: { input: () => { clearTimeout(text.wait); text.wait = setTimeout(() => { wanted.text = text.value; again(); }, 150); } },
  });
  const levels = [1, 2, 3, 4].map((level) => el("button", {
    class: `level s${level}`, "aria-pressed": "false", title: SEVERITY[level], "aria-label": `Severity ${level}`,
    on: { click: () => { toggle(level); again(); } },
  }, level));
  const state = choice("Which groups", STATES, (value) => { wanted.state = value; again(); });
  const order = choice("Order", ORDERS, (value) => { wanted.order = value; again(); });
  const fresh = el("button", { class: "fresh", hidden: true, on: { click: () => again() } });
  const found = el("span", { class: "quiet found" });

  const list = new VirtualList({
    label: "Groups of alerts",
    fetchPage: async (offset, limit) => {
      const got = await get("/api/groups", { ...wanted, until, offset, limit });
      newest = Math.max(newest, got.newest);
      until ??= wanted.order === "newest" ? got.newest : null;
      found.textContent = plural(got.total, "group");
      return got;
    },
    draw: row,
    open: (group) => show(group.id),
    empty: () => (about.groups ? "Nothing fits the filter." : "No alert yet. They appear here as they come."),
  });
  const detail = new Detail({
    close: () => { open = null; element.classList.remove("reading"); list.chosen = null; list.show(); tell(); list.element.focus(); },
    changed: () => list.reload({ keep: true }),
    about,
  });
  const element = el("div", { class: "alerts" },
    el("div", { class: "filters" }, text, el("div", { class: "levels", role: "group", "aria-label": "Severity" }, levels),
      state, order, found, fresh),
    el("div", { class: "two" }, list.element, detail.element),
    el("p", { class: "keys quiet" }, keys()));

  function toggle(level) {
    const on = wanted.severity.includes(level);
    wanted.severity = on ? wanted.severity.filter((each) => each !== level) : [...wanted.severity, level].sort();
    levels[level - 1].setAttribute("aria-pressed", String(!on));
  }

  async function again({ keep = false } = {}) {
    until = null;
    fresh.hidden = true;
    tell();
    await list.reload({ keep });
  }

  function tell() {
    const query = new URLSearchParams();
    if (wanted.text) query.set("text", wanted.text);
    for (const level of wanted.severity) query.append("severity", level);
    if (wanted.state !== "open") query.set("state", wanted.state);
    if (wanted.order !== "newest") query.set("order", wanted.order);
    if (open) query.set("group", open);
    remember("alerts", query);
  }

  function show(id) {
    open = id;
    list.chosen = id;
    element.classList.add("reading");
    tell();
    detail.open(id);
  }

  return {
    title: "Alerts",
    element,
    show(query) {
      text.value = wanted.text = query.get("text") ?? "";
      for (const level of query.getAll("severity").map(Number)) if (!wanted.severity.includes(level)) toggle(level);
      state.value = wanted.state = STATES[query.get("state")] ? query.get("state") : "open";
      order.value = wanted.order = ORDERS[query.get("order")] ? query.get("order") : "newest";
      const group = Number(query.get("group"));
      again();
      if (group) show(group);
    },
    moved(query) {
      const group = Number(query.get("group"));
      if (group && group !== open) show(group);
    },
    async about(now, visible) {
      about = now;
      if (visible) heading(plural(now.open, "open group of alerts", "open groups of alerts"), state_line(now));
      if (now.changed === changed) return;
      changed = now.changed;
      if (!visible) return;
      if (list.element.scrollTop < 4) return again({ keep: true });
      const got = await get("/api/groups", { limit: 1 });
      fresh.hidden = got.newest <= newest;
      fresh.textContent = `${count(got.newest - newest)} new: show`;
    },
    key(event) {
      const act = {
        "/": () => text.focus(), j: () => list.move(1), k: () => list.move(-1),
        Escape: () => detail.close(), s: () => detail.suppress(), b: () => detail.label("benign"),
        a: () => detail.label("attack"),
        ...Object.fromEntries([1, 2, 3, 4].map((level) => [level, () => { toggle(level); again(); }])),
      }[event.key];
      if (!act || (event.key === "Escape" && !open)) return;
      event.preventDefault();
      act();
    },
  };
}

function row(group) {
  const chips = [
    group.label && el("span", { class: "chip" }, group.label),
    group.suppressed && el("span", { class: "chip" }, "suppressed"),
  ];
  return [
    severity(group.severity),
    el("span", { class: "what" }, el("strong", {}, about_line(group)), chips),
    el("span", { class: "who ends" }, ends(group)),
    el("span", { class: "many" }, group.flows > 1 ? plural(group.flows, "flow") : "1 flow"),
    el("span", { class: "score" }, number(Number(group.score.toFixed(2)))),
    el("time", { class: "time quiet", datetime: new Date(group.last * 1000).toISOString() }, when(group.last)),
  ];
}

function state_line(about) {
  const c = about.counters;
  const words = { running: "watching", ended: "the source has ended:", waiting: "the watcher failed, begun again soon:", stopped: "stopped:" };
  const seen = c.flows === undefined ? "" : `, ${plural(c.flows, "flow")} judged`;
  const last = c.last_record ? `, last record ${c.last_record.slice(0, 19).replace("T", " ")} UTC` : "";
  return [
    el("span", { class: `dot ${about.watcher}`, "aria-hidden": "true" }),
    `${words[about.watcher] ?? about.watcher} ${about.source}${seen}${last}${about.redact ? ", addresses masked" : ""}`,
  ];
}

function choice(label, options, pick) {
  return el("select", { "aria-label": label, on: { change: (event) => pick(event.target.value) } },
    Object.entries(options).map(([value, said]) => el("option", { value }, said)));
}

function keys() {
  const pairs = { "j k": "move", "/": "filter", "1-4": "severity", s: "suppress", b: "benign", a: "attack", Esc: "close" };
  return Object.entries(pairs).map(([key, does]) => [el("kbd", {}, key), ` ${does}  `]);
}
