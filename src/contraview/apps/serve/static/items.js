// Any model's items: the embedding map, the chosen item and what is nearest to it.

import { get, look } from "./api.js";
import { count, el, fill, number, plural, toast } from "./dom.js";
import { heading, remember } from "./main.js";
import { curves } from "./curves.js";
import { legend, Scatter } from "./scatter.js";

const NEAREST = 12;
const GALLERY = 60;

export function make(about) {
  return { items: items(about), run: curves() };
}

// An item as its wing draws it; small ones are enlarged without smoothing.
export function thumb(i, { pick, caption, large = false } = {}) {
  const box = el(pick ? "button" : "div", {
    class: large ? "thumb large" : "thumb", "aria-label": pick ? `Item ${i}` : null, on: pick ? { click: () => pick(i) } : {},
  });
  look(i).then((seen) => {
    const shown = seen.image
      ? el("img", { src: seen.image, alt: `item ${i}`, class: seen.drawn ? "drawn" : "pixels" })
      : el("pre", { tabindex: large ? 0 : null }, seen.text);
    box.prepend(shown);
  }).catch((error) => box.prepend(el("span", { class: "quiet" }, error.message)));
  if (caption !== undefined) box.append(el("span", { class: "under" }, caption));
  return box;
}

function items(about) {
  let chosen = null;
  let colour = null;
  let places = [];
  const detail = el("article", { class: "detail", "aria-label": "The chosen item" },
    el("p", { class: "quiet none" }, about.mapped ? "Choose a point to see the item and what is nearest to it." : "Choose an item."));
  const key = el("div");
  const scatter = new Scatter({
    label: "Items on two principal axes of their embeddings; choose an item by its number beside the map",
    name: (i) => `item ${i}${colour && colour.kinds[i] >= 0 ? `: ${colour.names[colour.kinds[i]]}` : ""}`,
    pick: (i) => choose(i),
  });
  const by = el("select", { "aria-label": "Colour by", on: { change: () => paint(by.value) } },
    el("option", { value: "" }, "one colour"), about.colours.map((name) => el("option", { value: name }, `colour by ${name}`)));
  const jump = el("input", { type: "number", class: "jump", min: 0, max: about.items - 1, placeholder: "item number", "aria-label": "Item number",
    on: { change: () => { if (jump.value !== "") choose(Number(jump.value)); } } });
  const gallery = el("div", { class: "gallery" });
  const more = el("button", { on: { click: () => show(gallery.childElementCount) } }, "More");
  const left = about.mapped
    ? el("figure", {}, scatter.element, key, el("p", { class: "caption" },
      `Two principal axes of the embeddings, ${Math.round(100 * about.explained)} % of the variance. Wheel and drag, or + - 0, to look closer.`))
    : el("div", {}, gallery, more);
  const element = el("div", { class: "items" },
    el("div", { class: "filters" }, by, jump, el("span", { class: "quiet found" },
      about.all > about.items ? `${count(about.items)} of ${count(about.all)} items, drawn at random` : plural(about.items, "item"))),
    el("div", { class: "two" }, left, detail));

  function show(from) {
    for (let i = from; i < Math.min(from + GALLERY, about.items); i++) gallery.append(thumb(i, { pick: choose, caption: String(i) }));
    more.hidden = gallery.childElementCount >= about.items;
  }

  async function paint(name) {
    colour = name ? await get(`/api/colours/${encodeURIComponent(name)}`) : null;
    if (!about.mapped) return;
    scatter.set(places.map(([x, y], i) => ({ x, y, kind: colour ? colour.kinds[i] + 1 : 1 })));
    const many = (kind) => colour.kinds.filter((each) => each === kind).length;
    fill(key, colour && legend([...colour.names.map((said, i) => [i + 1, said, many(i)]), ...(many(-1) ? [[0, "no value", many(-1)]] : [])]));
  }

  async function choose(i) {
    chosen = i;
    jump.value = i;
    const query = new URLSearchParams({ item: i });
    if (by.value) query.set("colour", by.value);
    remember("items", query);
    try {
      const [item, near] = await Promise.all([
        get(`/api/items/${i}`), about.mapped ? get(`/api/items/${i}/neighbours`, { k: NEAREST }) : [],
      ]);
      if (chosen !== i) return;
      element.classList.add("reading");
      scatter.chosen = i;
      scatter.near = near.map((each) => each.item);
      scatter.draw();
      const facts = Object.entries(item.facts).filter(([, value]) => value !== null);
      fill(detail,
        el("div", { class: "top" }, el("h2", {}, `Item ${item.row}`), el("button", { class: "close", "aria-label": "Close", on: { click: close } }, "✕")),
        thumb(i, { large: true }),
        near.length > 0 && [el("h3", {}, "Nearest by cosine"), el("div", { class: "gallery" }, near.map((each) =>
          thumb(each.item, { pick: choose, caption: `${each.similarity.toFixed(3)}${colour && colour.kinds[each.item] >= 0 ? ` ${colour.names[colour.kinds[each.item]]}` : ""}` })))],
        el("h3", {}, "What is known of it"),
        el("dl", { class: "facts" }, facts.slice(0, 40).map(([name, value]) => [el("dt", {}, name), el("dd", {}, number(value))])));
      detail.scrollTop = 0;
    } catch (error) { toast(error.message); }
  }

  function close() {
    element.classList.remove("reading");
    chosen = scatter.chosen = null;
    scatter.near = [];
    scatter.draw();
    remember("items", new URLSearchParams());
    fill(detail, el("p", { class: "quiet none" }, "Choose a point or a number."));
  }

  return {
    title: about.mapped ? "Map" : "Items",
    element,
    async show(query) {
      heading(`${plural(about.items, "item")} as ${about.system} sees them`, about.model);
      if (!about.mapped) show(0);
      else if (!places.length) places = await get("/api/places");
      const wanted = query.get("colour") ?? about.colours[0] ?? "";
      by.value = about.colours.includes(wanted) ? wanted : "";
      await paint(by.value);
      if (query.get("item") !== null) choose(Number(query.get("item")));
    },
    key(event) {
      if (event.key === "Escape") close();
      else if (event.key === "j" || event.key === "k") choose(Math.min(Math.max((chosen ?? -1) + (event.key === "j" ? 1 : -1), 0), about.items - 1));
    },
  };
}
