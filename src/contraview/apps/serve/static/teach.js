// What can be done about a group: quieten what is known, say what it is.

import { get, post, remove } from "./api.js";
import { el, fill, moment, plural, table, toast } from "./dom.js";
import { heading } from "./main.js";

const dialog = document.getElementById("dialog");

function ask(title, body, { confirm, act, ready }) {
  const main = el("button", { class: "main", value: "go" }, confirm);
  const form = el("form", { method: "dialog", on: { submit: async (event) => {
    event.preventDefault();
    main.disabled = true;
    try { await act(); dialog.close(); } catch (error) { toast(error.message); } finally { main.disabled = false; }
  } } },
    el("h2", { id: "dialog-title" }, title), body,
    el("div", { class: "actions" }, main, el("button", { type: "button", on: { click: () => dialog.close() } }, "Cancel")));
  fill(dialog, form);
  dialog.oncancel = null;
  dialog.showModal();
  ready?.();
}

const field = (label, input) => el("label", { class: "field" }, label, input);
const tick = (label, name, on) => el("label", {}, el("input", { type: "checkbox", name, checked: on }), label);

export function suppress(group, done) {
  const alert = group.strongest;
  const body = el("div");
  const said = el("p", { class: "said", role: "status" });
  const until = el("input", { type: "date", name: "until", min: new Date().toISOString().slice(0, 10) });
  const note = el("input", { name: "note", maxlength: 200, placeholder: "why, for whoever asks later" });
  fill(body,
    el("p", {}, "Hold back alerts that have all of this in common:"),
    alert.src && tick(`from or to ${alert.src}`, "src", true),
    alert.dst && tick(`from or to ${alert.dst}`, "dst", false),
    alert.src && tick(`from or to the subnet of ${alert.src}`, "subnet", false),
    alert.proto && tick(`service ${alert.proto.toLowerCase()}${alert.dst_port === null ? "" : `/${alert.dst_port}`}`, "service", true),
    group.about && tick(`for the reason ${group.about}`, "reason", true),
    field("Until the end of (empty: for good)", until), field("Note", note), said);

  function wanted() {
    const on = (name) => Boolean(body.querySelector(`[name=${name}]`)?.checked);
    return {
      alert: alert.id, host: on("src") ? "src" : on("dst") ? "dst" : null, subnet: on("subnet") ? "src" : null,
      service: on("service"), reason: on("reason"), until: until.value || null, note: note.value,
    };
  }
  async function look(event) {
    if (event?.target.name === "src" && event.target.checked) body.querySelector("[name=dst]").checked = false;
    if (event?.target.name === "dst" && event.target.checked) body.querySelector("[name=src]").checked = false;
    try {
      const got = await post("/api/suppressions/preview", wanted());
      fill(said, `Quietens ${plural(got.alerts, "alert")} in ${plural(got.groups, "group")} here, and what comes.`);
    } catch (error) { fill(said, error.message); }
  }
  body.addEventListener("change", look);
  ask("Suppress", body, {
    confirm: "Suppress",
    ready: look,
    act: async () => {
      const rule = await post("/api/suppressions", wanted());
      done();
      toast(`Suppressed: ${rule.told}`, async () => { await remove(`/api/suppressions/${rule.id}`); done(); });
    },
  });
}

async function put(group, verdict, name, done) {
  await post("/api/labels", { alert: group.strongest.id, verdict, name });
  done();
  toast(`Labelled ${name ?? verdict}`, async () => { await remove(`/api/labels/${group.strongest.id}`); done(); });
}

export async function label(group, verdict, done) {
  if (verdict === "benign") {
    try { await put(group, "benign", null, done); } catch (error) { toast(error.message); }
    return;
  }
  const known = [...new Set((await get("/api/labels")).map((each) => each.name).filter(Boolean))];
  const name = el("input", { list: "names", maxlength: 60, pattern: "[\\w .:+\\-]{1,60}", placeholder: "port scan", autocomplete: "off" });
  ask("Label as an attack", el("div", {},
    el("p", {}, "What is it called? Flows like it will get this name; what is like none of them stays unknown."),
    field("Name (may be empty)", name), el("datalist", { id: "names" }, known.map((each) => el("option", { value: each })))), {
    confirm: "Label",
    ready: () => name.focus(),
    act: () => put(group, "attack", name.value.trim() || null, done),
  });
}

// What the labels would change, and taking it.
function lessons() {
  const element = el("div");
  const act = (work, said) => async (event) => {
    event.target.disabled = true;
    try { await work(); toast(said); look(); } catch (error) { toast(error.message); event.target.disabled = false; }
  };
  const threshold = (side) => {
    const [low, high] = side["threshold, 95 %"];
    return `${side.threshold.toFixed(3)} (${low.toFixed(3)} to ${high === null ? "no bound" : high.toFixed(3)})`;
  };

  async function look() {
    fill(element, el("p", { class: "quiet" }, "Working out what the labels would change…"));
    try {
      const got = await get("/api/lessons");
      const attacks = Object.values(got.attacks).reduce((a, b) => a + b, 0);
      const rows = [["threshold, 95 % interval", threshold(got.before), threshold(got.after)]];
      if (got.benign) rows.push([`alerts among the ${got.benign} labelled benign`, String(got.before["benign that alert"]), String(got.after["benign that alert"])]);
      if (attacks) rows.push([`alerts among the ${attacks} labelled attacks`, String(got.before["attacks that alert"]), String(got.after["attacks that alert"])]);
      rows.push(["attacks it can name", got.before.names.join(", ") || "none", got.after.names.join(", ") || `none: a name needs ${got["flows a name needs"]} flows that are alike`]);
      const left = Object.entries(got["left out"]);
      fill(element, table(["", "now", "then"], rows),
        el("p", { class: "caption" }, `The centre of the benign flows would move by ${got["centre moves by degrees"].toFixed(2)} degrees.`,
          Object.entries(got["no longer a rule"]).map(([column, values]) => ` No rule any more: ${column} ${values.join(", ")}.`)),
        left.length > 0 && el("ul", {}, left.map(([id, why]) => el("li", {}, el("code", {}, id.slice(0, 8)), ` teaches nothing: ${why}`))),
        el("div", { class: "actions" },
          el("button", { class: "main", "data-does": "learn", on: { click: act(() => post("/api/lessons"), "Learnt; the watcher goes on with the model as it is now") } }, "Let the model learn this"),
          el("button", { on: { click: act(() => remove("/api/lessons"), "Taken back") } }, "Undo the last time")));
    } catch (error) { fill(element, el("p", { class: "quiet" }, error.message)); }
  }
  return { element, look };
}

export function taught() {
  const taken = lessons();
  const rules = el("div");
  const labels = el("div");
  const element = el("div", { class: "part" },
    el("section", {}, el("h2", {}, "Suppression rules"), rules),
    el("section", {}, el("h2", {}, "Labels"), labels),
    el("section", { class: "lessons" }, el("h2", {}, "What the model would learn from the labels"), taken.element));
  let last = null;
  let known = "";

  const undo = (path, text) => el("button", { on: { click: async () => {
    try { await remove(path); await look(); } catch (error) { toast(error.message); }
  } } }, text);

  async function look() {
    const [ruled, said] = await Promise.all([get("/api/suppressions"), get("/api/labels")]);
    fill(rules, ruled.length ? table(["rule", "until", "kept here", "held back since", "note", ""], ruled.map((rule) => [
      rule.told, rule.expired ? "ended" : rule.until ? moment(rule.until) : "for good", String(rule.here), String(rule.held_back),
      rule.note ?? "", undo(`/api/suppressions/${rule.id}`, "Remove"),
    ]), [2, 3]) : el("p", { class: "quiet" }, "None. Open a group and press s."));
    fill(labels, said.length ? table(["said, UTC", "what", "alert", "score", ""], said.map((each) => [
      moment(each.at), each.name ?? each.verdict,
      each.group === null ? el("code", {}, each.identity.slice(0, 8)) : el("a", { href: `#alerts?state=all&group=${each.group}` }, `group ${each.group}`),
      each.score.toFixed(2), each.alert === null ? "" : undo(`/api/labels/${each.alert}`, "Take back"),
    ]), [3]) : el("p", { class: "quiet" }, "None. Open a group and press b for benign, or a for an attack."));
    heading(`${plural(ruled.length, "rule")}, ${plural(said.length, "label")}`, "");
    const now = said.map((each) => `${each.identity}${each.name}`).join();
    if (now !== known) { known = now; if (said.length) taken.look(); }
    element.querySelector(".lessons").hidden = !said.length;
  }

  return {
    title: "Taught",
    element,
    show: look,
    about(now, visible) { if (visible && now.changed !== last) { last = now.changed; look(); } },
  };
}
