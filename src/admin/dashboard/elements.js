/** The pieces that the page is made of. Everything that comes from outside is set as text, never as markup. */

export const byId = (id) => document.getElementById(id);

/** An element with a class and a text. */
export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className !== "") element.className = className;
  if (text !== "") element.textContent = text;
  return element;
}

/** A text that changes only where it is another: a reader's selection stays. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setState(element, state, text = state) {
  if (element.dataset.state !== state) element.dataset.state = state;
  setText(element, text);
}

/** `5 s`, `12 min`, `3 h`, `4 d`. */
export function span(ms) {
  const s = Math.max(0, Math.round(ms / 1_000));
  if (s < 100) return `${s} s`;
  if (s < 6_000) return `${Math.round(s / 60)} min`;
  return s < 172_800 ? `${Math.round(s / 3_600)} h` : `${Math.round(s / 86_400)} d`;
}

/** `3.2 MB` */
export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** `3.2 MB/s` */
export function rate(bytesPerSecond) {
  return `${size(bytesPerSecond)}/s`;
}

/** Make the children of a list those of `items`, keeping the elements of those that stay. */
export function reconcile(parent, items, keyOf, create, update) {
  const kept = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  items.forEach((item, index) => {
    const key = keyOf(item);
    let child = kept.get(key);
    kept.delete(key);
    if (!child) {
      child = create(item);
      child.dataset.key = key;
    }
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
    update(child, item, index);
  });
  // By number: two items of one key leave an element that is nobody's, and not among the kept.
  while (parent.children.length > items.length) parent.lastElementChild.remove();
}

/** What goes on by itself between two pieces of news: how old each thing is. */
const ages = new Map();

export function setAge(element, ms, write = span) {
  ages.set(element, { sinceMs: performance.now() - ms, write });
  setText(element, write(ms));
}

export function tick() {
  for (const [element, { sinceMs, write }] of ages) {
    if (element.isConnected) setText(element, write(performance.now() - sinceMs));
    else ages.delete(element);
  }
}

/** One row of a list: what, chips, when, and why below. */
export function makeRow() {
  const row = make("li", "row");
  row.append(make("span", "what"), make("span", "chip"), make("span", "quiet more"), make("span", "quiet when"));
  row.append(make("span", "quiet small why"));
  return row;
}

export function part(row, name) {
  return row.querySelector(`.${name}`);
}

/** The build's name, which leads to its run where that is known. */
export function setName(row, { name, link }) {
  const what = part(row, "what");
  const text = name || "unknown";
  const href = /^https:\/\//.test(link ?? "") ? link : undefined;
  if (what.dataset.href === (href ?? "") && what.textContent === text) return;
  what.dataset.href = href ?? "";
  what.replaceChildren();
  if (href === undefined) {
    what.textContent = text;
    return;
  }
  const anchor = make("a", "", text);
  anchor.href = href;
  anchor.rel = "noreferrer";
  what.append(anchor);
}
