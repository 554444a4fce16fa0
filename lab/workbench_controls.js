/* The controls of the photo lab, in their rows: each does one thing to the workbench. */

import { button, choice, element, menu, row, slider, tick } from "./elements.js";
import { RULE_NAMES } from "./layers.js";

/* Each teaches something that its sentence asks about; the setups are links as any reader could make them. */
const EXAMPLES = [
  ["Which cat?", "photo=chelsea&class=Egyptian cat&less=tabby",
    "The difference of two scores: where does one kind of cat win over the other?"],
  ["It answers anything", "photo=flower&class=missile",
    "There is no missile. The map of “missile” has a brightest place all the same."],
  ["Two questions, one picture", "photo=coffee&class=espresso&rule=guided&beside=missile,guided",
    "Guided backpropagation, asked for espresso and for missile."],
  ["The same by the gradient", "photo=coffee&class=espresso&beside=missile,backprop",
    "The gradient, asked the same two questions."],
  ["Where is it?", "photo=rocket&class=missile&box=0.35",
    "A box around the largest piece above a share of the maximum. A map of specks makes a small box."],
];

/* Lay everything into the place; `show` brings the controls up to date, `linkable` says whether there is a link. */
export function arrange(place, bench) {
  const { ask, photo, map, beside } = bench;
  const files = ownPhoto(place, bench);
  const samples = menu("Photo", ask.photos.map(({ title }) => title), 0, (i) => bench.sample(ask.photos[i].name));
  const asked = classes(bench);
  const rules = choice("Rule", RULE_NAMES, ask.rule, (rule) => bench.change({ rule }));
  const box = boxControls(bench);
  const link = linkButton(bench.status);
  place.append(
    row(samples, files),
    element("p", { class: "lab-note" }, "Choose, drop or paste a photo; on a phone, take one. It stays in this page: "
      + "nothing is sent anywhere."),
    ...examples(bench),
    element("div", { class: "lab-pictures three" }, photo.figure, map.figure, beside.figure),
    bench.status,
    bench.facts,
    bench.chart.body,
    ...asked.rows,
    row(rules),
    box.row,
    row(slider("Brush", { min: 3, max: 50, step: 1, value: bench.radius, format: (v) => `${2 * v + 1} pixels` }, (value) => {
      bench.radius = value;
    }), button("Uncover", () => bench.uncover())),
    bench.test.place,
    row(button("Keep this map beside", () => {
      bench.keep();
      bench.remember();
    }), button("Drop the kept one", () => {
      bench.drop();
      bench.remember();
    }), link, button("Save as picture", () => bench.save())),
  );
  return {
    show() {
      samples.select.value = ask.photos.findIndex(({ name }) => name === ask.photo);
      asked.show();
      rules.select(ask.rule);
      box.show();
    },
    linkable(yes) {
      link.disabled = !yes;
    },
  };
}

/* The reader's own photo: chosen, dropped or pasted. */
function ownPhoto(place, bench) {
  const chooser = element("input", { type: "file", accept: "image/*", class: "lab-file" });
  chooser.addEventListener("change", () => bench.take(chooser.files[0]).then(() => (chooser.value = "")));
  place.addEventListener("dragover", (event) => event.preventDefault());
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    bench.take(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => bench.take([...(event.clipboardData?.files ?? [])][0]));
  return element("label", { class: "lab-own" }, "Your own: ", chooser);
}

function examples(bench) {
  const hint = element("p", { class: "lab-note" });
  const buttons = EXAMPLES.map(([name, setup, sentence]) => button(name, () => {
    hint.textContent = sentence;
    bench.bring(setup);
  }));
  return [element("div", { class: "lab-row", role: "group", "aria-label": "Five examples" }, "Examples: ", ...buttons), hint];
}

/* Which class is asked for, less which other one. */
function classes(bench) {
  const { ask } = bench;
  const options = element("datalist", { id: "lab-classes" }, ...ask.names.map((name) => element("option", { value: name })));
  const tops = element("div", { class: "lab-row", role: "group", "aria-label": "Ask for one of the top five" });
  const first = classField("Class asked for", bench, (target) => target >= 0 && bench.change({ target }));
  const second = classField("less", bench, (less) => bench.change({ less }));
  return {
    rows: [options, tops, row(first, second)],
    show() {
      tops.replaceChildren(...ask.top.map((target) => button(ask.names[target], () => bench.change({ target }))));
      first.field.value = ask.names[ask.target];
      second.field.value = ask.less >= 0 ? ask.names[ask.less] : "";
    },
  };
}

/* A field for the name of a class; `choose` is told its index, -1 if the field is empty. */
function classField(label, { ask, status }, choose) {
  const field = element("input", { type: "text", autocomplete: "off", size: 18 });
  field.setAttribute("list", "lab-classes");
  field.addEventListener("change", () => {
    const name = field.value.trim().toLowerCase();
    const index = name ? ask.names.findIndex((other) => other.toLowerCase() === name) : -1;
    if (name && index < 0) status.textContent = `There is no class “${field.value}”: choose one of the list.`;
    else choose(index);
  });
  return Object.assign(element("label", { class: "lab-menu" }, `${label} `, field), { field });
}

function boxControls(bench) {
  const on = tick("Box", false, (wanted) => {
    scale.hidden = !wanted;
    bench.setBox(wanted ? Number(scale.input.value) : 0);
  });
  const scale = slider("above", {
    min: 0.05, max: 0.95, step: 0.05, value: 0.35, format: (v) => `${Math.round(100 * v)} % of the maximum`,
  }, (value) => bench.setBox(value));
  scale.hidden = true;
  return {
    row: row(on, scale),
    show() {
      on.input.checked = bench.box > 0;
      scale.hidden = !bench.box;
      if (bench.box) scale.set(bench.box);
    },
  };
}

function linkButton(status) {
  return button("Copy a link to this", () => navigator.clipboard?.writeText(location.href).then(
    () => (status.textContent = "The link is copied."),
    () => (status.textContent = "The address of this page is the link."),
  ));
}
