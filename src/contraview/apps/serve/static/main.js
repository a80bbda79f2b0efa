// The page: what is served decides which parts it has; the address says which one is open.

import { get } from "./api.js";
import { el, fill, toast } from "./dom.js";

const title = document.getElementById("title");
const status = document.getElementById("status");
const tabs = document.getElementById("tabs");
const main = document.getElementById("main");
let parts = {};
let current = null;

export function heading(text, state) {
  title.textContent = text;
  document.title = `${text} · contraview`;
  fill(status, state);
}

// The address after #: a part, then what it wants to remember, as in #alerts?text=tcp&open=4.
export function place() {
  const [part, query = ""] = location.hash.slice(1).split("?");
  return { part, query: new URLSearchParams(query) };
}

export function remember(part, query) {
  const said = query.toString();
  const hash = `#${part}${said ? `?${said}` : ""}`;
  if (hash !== location.hash) history.replaceState(null, "", hash);
}

function go() {
  const { part, query } = place();
  const name = part in parts ? part : Object.keys(parts)[0];
  for (const tab of tabs.children) tab.setAttribute("aria-selected", String(tab.dataset.part === name));
  if (current !== name) {
    parts[current]?.close?.();
    current = name;
    fill(main, parts[name].element);
    parts[name].show?.(query);
  } else parts[name].moved?.(query);
}

async function poll() {
  try {
    const about = await get("/api/about");
    document.body.classList.remove("lost");
    for (const part of Object.values(parts)) part.about?.(about, parts[current] === part);
  } catch (error) {
    document.body.classList.add("lost");
    fill(status, `no word from the service (${error.message}); what is shown may be old`);
  }
  setTimeout(poll, document.hidden ? 10_000 : 2_000);
}

async function begin() {
  const about = await get("/api/about");
  const { make } = about.mode === "alerts" ? await import("./alerts.js") : await import("./items.js");
  parts = make(about);
  fill(tabs, Object.entries(parts).map(([name, part]) => el("button", {
    role: "tab", "data-part": name, on: { click: () => { location.hash = name; } },
  }, part.title)));
  tabs.hidden = Object.keys(parts).length < 2;
  addEventListener("hashchange", go);
  addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, dialog");
    if (!typing && !event.ctrlKey && !event.metaKey && !event.altKey) parts[current]?.key?.(event);
  });
  go();
  await poll();
}

begin().catch((error) => { title.textContent = "Not to be reached"; toast(error.message); });
