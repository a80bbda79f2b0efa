// Elements from plain values. Text only ever becomes text: nothing here takes markup.

export function el(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "on") for (const [event, act] of Object.entries(value)) made.addEventListener(event, act);
    else if (key === "vars") for (const [v, x] of Object.entries(value)) made.style.setProperty(`--${v}`, x);
    else if (key === "class") made.className = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  put(made, ...children);
  return made;
}

export function put(parent, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return parent;
}

export const fill = (parent, ...children) => { parent.replaceChildren(); return put(parent, ...children); };

export function table(head, rows, numbers = []) {
  const cell = (kind, i, child) =>
    el(kind, { class: numbers.includes(i) ? "number" : null, scope: kind === "th" ? "col" : null }, child);
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": head[0] },
    el("table", {},
      el("thead", {}, el("tr", {}, head.map((name, i) => cell("th", i, name)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((child, i) => cell("td", i, child)))))));
}

export const bar = (share, long = false) =>
  el("i", { class: long ? "bar long" : "bar", vars: { share: Math.min(Math.max(share, 0), 1).toFixed(4) } });

export const count = (n) => (n ?? 0).toLocaleString("en");

export function plural(n, one, many = `${one}s`) { return `${count(n)} ${n === 1 ? one : many}`; }

export function number(value) {
  if (value === null || value === undefined) return "missing";
  if (typeof value !== "number") return value;
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en");
  return Number(value.toPrecision(4)).toString();
}

export function moment(seconds) {
  if (seconds === null || seconds === undefined) return "";
  return new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ");
}

export function when(seconds, now = Date.now()) {
  const day = moment(seconds);
  return day.slice(0, 10) === new Date(now).toISOString().slice(0, 10) ? day.slice(11) : day.slice(5, 16);
}

let fading = 0;
export function toast(text, undo = null) {
  const shown = document.getElementById("toast");
  fill(shown, text, undo && el("button", { on: { click: () => { shown.className = ""; undo(); } } }, "Undo"));
  shown.className = "shown";
  clearTimeout(fading);
  fading = setTimeout(() => { shown.className = ""; }, undo ? 9000 : 4000);
}
