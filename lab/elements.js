/* The controls of a lab: plain HTML elements, each with its name, so that keys and screen readers work them. */

let count = 0;

/* An element with properties and children; `class`, `aria-*` and `data-*` are attributes. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class" || name === "for" || name === "role" || name.includes("-")) made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

/* A line of text that is read out when it changes. */
export function say(place, text = "") {
  const line = element("p", { class: "lab-note", role: "status" }, text);
  place.append(line);
  return line;
}

/* A menu of names; `choose` is called with the index. */
export function menu(label, names, index, choose) {
  const id = `lab-${count++}`;
  const select = element("select", { id }, ...names.map((name, i) => element("option", { value: i }, name)));
  select.value = index;
  select.addEventListener("change", () => choose(Number(select.value)));
  return Object.assign(element("label", { class: "lab-menu", for: id }, `${label} `, select), { select });
}

/* A few choices side by side, of which one is made; `choose` is called with its key. */
export function choice(label, options, key, choose) {
  const name = `lab-${count++}`;
  const buttons = Object.entries(options).map(([value, text]) => {
    const input = element("input", { type: "radio", name, value, checked: value === key, autocomplete: "off" });
    input.addEventListener("change", () => choose(value));
    return element("label", {}, input, element("span", {}, text));
  });
  const group = element("fieldset", { class: "lab-choice" }, element("legend", {}, label), ...buttons);
  group.select = (value) => {
    for (const input of group.querySelectorAll("input")) input.checked = input.value === value;
  };
  return group;
}

/* A slider that says its value; `format` makes text of it. */
export function slider(label, { min, max, step, value, format = String }, choose) {
  const input = element("input", { type: "range", min, max, step, value, autocomplete: "off" });
  const shown = element("output", { class: "lab-value" });
  const show = () => {
    shown.textContent = format(Number(input.value));
    input.setAttribute("aria-valuetext", shown.textContent);
  };
  input.addEventListener("input", () => {
    show();
    choose(Number(input.value));
  });
  show();
  shown.setAttribute("aria-live", "off");
  const whole = element("label", { class: "lab-slider" }, element("span", {}, label), input, shown);
  return Object.assign(whole, {
    input,
    set(number) {
      input.value = number;
      show();
    },
  });
}

export function button(text, press) {
  const made = element("button", { type: "button" }, text);
  made.addEventListener("click", press);
  return made;
}

export function tick(label, checked, choose) {
  const input = element("input", { type: "checkbox", checked, autocomplete: "off" });
  input.addEventListener("change", () => choose(input.checked));
  return Object.assign(element("label", { class: "lab-tick" }, input, element("span", {}, label)), { input });
}

/* A row of controls. */
export function row(...children) {
  return element("div", { class: "lab-row" }, ...children);
}

/* A number as people write it, with a sign and a real minus; what is rounded to nothing has no sign. */
export function signed(value, digits = 2) {
  const rounded = value.toFixed(digits);
  if (!Number(rounded)) return rounded.replace("-", "");
  return value > 0 ? `+${rounded}` : rounded.replace("-", "−");
}
