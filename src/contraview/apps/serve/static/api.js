// What is asked of the service. A token is asked for once and kept while the tab is open.

import { el, fill } from "./dom.js";

const KEY = "contraview token";

export class Refusal extends Error {
  constructor(status, detail) { super(detail); this.status = status; }
}

async function call(path, method, body, again = true) {
  const headers = {};
  const token = sessionStorage.getItem(KEY);
  if (token) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const answer = await fetch(path, {
    method, headers, cache: "no-store", body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (answer.status === 401 && again) { await askForToken(); return call(path, method, body); }
  if (answer.status === 204) return null;
  const said = await answer.json().catch(() => ({ detail: `the service answered ${answer.status}` }));
  if (!answer.ok) throw new Refusal(answer.status, said.detail ?? `the service answered ${answer.status}`);
  return said;
}

export const get = (path, query = null) => call(query ? `${path}?${asQuery(query)}` : path, "GET");
export const post = (path, body) => call(path, "POST", body);
export const remove = (path) => call(path, "DELETE");

export function asQuery(values) {
  const said = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) {
    for (const each of [value].flat()) if (each !== null && each !== undefined && each !== "") said.append(key, each);
  }
  return said;
}


let asking = null;
function askForToken() {
  asking ??= new Promise((done) => {
    const dialog = document.getElementById("dialog");
    const field = el("input", { type: "password", autocomplete: "off", required: true, "aria-label": "Token" });
    const form = el("form", { on: { submit: (event) => {
      event.preventDefault();
      sessionStorage.setItem(KEY, field.value.trim());
      dialog.close();
      asking = null;
      done();
    } } },
      el("h2", { id: "dialog-title" }, "Token"),
      el("p", {}, "This service wants the token that it was started with."),
      field, el("div", { class: "actions" }, el("button", { class: "main" }, "Go on")));
    fill(dialog, form);
    dialog.oncancel = (event) => event.preventDefault();
    if (!dialog.open) dialog.showModal();
    field.focus();
  });
  return asking;
}

// How an item looks: {image: an address for <img>} or {text}.
const looks = new Map();
export async function look(number) {
  if (looks.has(number)) return looks.get(number);
  const token = sessionStorage.getItem(KEY);
  const answer = await fetch(`/api/items/${number}/shown`, { headers: token ? { authorization: `Bearer ${token}` } : {} });
  if (!answer.ok) throw new Refusal(answer.status, `the service answered ${answer.status}`);
  const kind = answer.headers.get("content-type");
  const seen = kind.startsWith("image/")
    ? { image: URL.createObjectURL(new Blob([await answer.arrayBuffer()], { type: kind })), drawn: kind.includes("svg") }
    : { text: await answer.text() };
  if (looks.size > 600) { for (const each of looks.values()) if (each.image) URL.revokeObjectURL(each.image); looks.clear(); }
  looks.set(number, seen);
  return seen;
}
