/* A field in which any name is found, and the names found below it: by pointer, by typing, or by the arrow keys. */

import { element } from "./elements.js";

let boxes = 0;

/* `on.rows(text)` gives the names, `on.peek(index)` is told the one that is looked at (-1: none), `on.choose(index)` the
   one that is taken. A list that is `folded` is seen only while its field has the focus. */
export function nameBox({ label, placeholder, folded = false }, on) {
  const id = `lab-names-${boxes++}`;
  const list = element("ul", { id, role: "listbox", tabIndex: -1, "aria-label": label, class: "lab-names-list", hidden: folded });
  const field = element("input", {
    type: "text", role: "combobox", autocomplete: "off", spellcheck: false, placeholder, "aria-label": label,
    "aria-controls": id, "aria-expanded": String(!folded), "aria-autocomplete": "list",
  });
  const box = element("div", { class: "lab-names-box" }, field, list);
  let [rows, at] = [[], -1];

  const looked = (place) => {
    at = place;
    mark();
    on.peek(at < 0 ? -1 : rows[at].index);
  };
  const take = (index) => {
    field.value = "";
    at = -1;
    if (folded) open(false);
    on.choose(index);
  };
  const open = (wanted) => {
    list.hidden = folded && !wanted;
    field.setAttribute("aria-expanded", String(!list.hidden));
  };

  function mark() {
    [...list.children].forEach((row, i) => row.classList.toggle("peek", i === at));
    if (at < 0) field.removeAttribute("aria-activedescendant");
    else field.setAttribute("aria-activedescendant", `${id}-${at}`);
  }

  field.addEventListener("input", () => {
    show();
    looked(field.value.trim() && rows.length ? 0 : -1);
  });
  field.addEventListener("focus", () => folded && (show(), open(true)));
  field.addEventListener("blur", () => {
    if (folded) open(false);
    if (at >= 0) looked(-1);
  });
  field.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && rows.length) looked(Math.max(0, Math.min(rows.length - 1, at + step)));
    else if (event.key === "Enter" && at >= 0) take(rows[at].index);
    else if (event.key === "Escape" && (field.value || at >= 0)) {
      field.value = "";
      show();
      looked(-1);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  // Taken on the way down, before the field loses the focus and a folded list its place.
  list.addEventListener("pointerdown", (event) => folded && event.preventDefault());
  list.addEventListener("click", (event) => {
    const row = event.target.closest("[role=option]");
    if (row) take(rows[[...list.children].indexOf(row)].index);
  });
  list.addEventListener("pointerover", (event) => {
    const row = event.target.closest("[role=option]");
    if (row && event.pointerType === "mouse") looked([...list.children].indexOf(row));
  });
  list.addEventListener("pointerleave", () => looked(-1));

  /* Bring the rows up to date; they are the same elements, so that what the pointer is on stays. */
  function show(held = -1) {
    rows = on.rows(field.value.trim());
    while (list.children.length > rows.length) list.lastChild.remove();
    while (list.children.length < rows.length) list.append(blank(`${id}-${list.children.length}`));
    rows.forEach((row, i) => fill(list.children[i], row, row.index === held));
    mark();
  }

  return { box, field, show };
}

function blank(id) {
  return element("li", { id, role: "option", "aria-selected": "false" },
    element("i"), element("span", { class: "name" }), element("small"), element("b"), element("em"));
}

function fill(line, { name, also, share, score, percent, change }, held) {
  const [bar, title, points, chance, moved] = line.children;
  bar.style.width = `${100 * share}%`;
  title.textContent = also ? `${name} (${also})` : name;
  points.textContent = score;
  chance.textContent = percent;
  moved.textContent = change ? `${change > 0 ? "+" : "−"}${Math.abs(change)}` : "";
  moved.className = change > 0 ? "up" : "down";
  line.setAttribute("aria-selected", String(held));
  line.title = also ? `${name}, also called ${also}` : name;
}
