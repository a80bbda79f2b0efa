// A list of any length: only the rows in sight are elements, and they come page by page.

import { el, fill } from "./dom.js";

const PAGE = 100;
const MOST = 15_000_000; // pixels that every browser can scroll

export class VirtualList {
  // fetchPage(offset, limit) gives {total, items}; draw(item, selected) gives the row's children.
  constructor({ fetchPage, draw, open, label, empty }) {
    Object.assign(this, { fetchPage, draw, open, empty });
    this.pages = new Map();
    this.total = 0;
    this.at = -1;
    this.turn = 0;
    this.rows = el("div", { class: "rows" });
    this.space = el("div", { class: "space" }, this.rows);
    this.element = el("div", {
      class: "list", tabindex: 0, role: "listbox", "aria-label": label,
      on: { scroll: () => this.show(), keydown: (event) => this.key(event) },
    }, this.space);
    new ResizeObserver(() => this.show()).observe(this.element);
  }

  get height() { return parseFloat(getComputedStyle(this.element).getPropertyValue("--row")) || 56; }

  // Ask again; `keep` stays where the reader is.
  async reload({ keep = false } = {}) {
    const turn = ++this.turn;
    const first = keep ? this.firstInSight() : 0;
    const page = Math.floor(first / PAGE);
    const got = await this.fetchPage(page * PAGE, PAGE);
    if (turn !== this.turn) return;
    this.pages = new Map([[page, got.items]]);
    this.total = got.total;
    if (!keep) { this.at = -1; this.element.scrollTop = 0; }
    this.show();
  }

  firstInSight() { return Math.max(0, Math.floor(this.element.scrollTop / this.height)); }

  item(i) { return this.pages.get(Math.floor(i / PAGE))?.[i % PAGE]; }

  show() {
    const height = this.height;
    this.space.style.height = `${Math.min(this.total * height, MOST)}px`;
    const first = Math.max(0, this.firstInSight() - 4);
    const last = Math.min(this.total, first + Math.ceil(this.element.clientHeight / height) + 8);
    const made = [];
    for (let i = first; i < last; i++) {
      const item = this.item(i);
      if (!item) this.want(Math.floor(i / PAGE));
      const chosen = item && item.id === this.chosen;
      made.push(el("div", {
        class: "row", role: "option", "aria-selected": String(Boolean(chosen)), id: `row-${i}`,
        "aria-setsize": this.total, "aria-posinset": i + 1,
        on: { click: () => this.choose(i) },
      }, item ? this.draw(item) : el("span", { class: "quiet" }, "…")));
    }
    this.rows.style.transform = `translateY(${first * height}px)`;
    fill(this.rows, made);
    if (!this.total) fill(this.rows, el("p", { class: "quiet none" }, this.empty()));
    const active = this.at >= first && this.at < last ? `row-${this.at}` : null;
    if (active) this.element.setAttribute("aria-activedescendant", active);
    else this.element.removeAttribute("aria-activedescendant");
  }

  async want(page) {
    if (this.pages.has(page)) return;
    const turn = this.turn;
    this.pages.set(page, undefined);
    try {
      const got = await this.fetchPage(page * PAGE, PAGE);
      if (turn !== this.turn) return;
      this.pages.set(page, got.items);
      this.total = got.total;
    } catch { this.pages.delete(page); return; }
    this.show();
  }

  choose(i) {
    const item = this.item(i);
    if (!item) return;
    this.at = i;
    this.chosen = item.id;
    this.show();
    this.open(item);
  }

  move(by) {
    if (!this.total) return;
    this.at = Math.min(Math.max(this.at + by, 0), this.total - 1);
    const top = this.at * this.height;
    const box = this.element;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + this.height > box.scrollTop + box.clientHeight) box.scrollTop = top + this.height - box.clientHeight;
    this.choose(this.at);
  }

  key(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -this.total, End: this.total };
    if (!(event.key in steps)) return;
    event.preventDefault();
    this.move(steps[event.key]);
  }
}
