/* The controls of the photo lab. What is computed takes its turn: the last wish counts, those before it are dropped. */

import { bars } from "./bars.js";
import { button, choice, element, menu, row, say, signed, slider, tick } from "./elements.js";
import { guess } from "./guess.js";
import { forecast, softmax, thresholdBox } from "./maps.js";
import { fromFile, PHOTO_SIDE } from "./photos.js";
import { disk, drawBox, drawImage, drawMap, picture, pointable } from "./pictures.js";
import { address, fromAddress } from "./setup.js";

const RULE_NAMES = { backprop: "gradient", deconvnet: "DeconvNet", guided: "guided" };
const AREA = PHOTO_SIDE * PHOTO_SIDE;

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

export async function workbench(place, ask) {
  const photo = picture(PHOTO_SIDE, "the photo", "The photo");
  const map = picture(PHOTO_SIDE, "", "The map");
  const beside = picture(PHOTO_SIDE, "", "The map kept beside");
  const chart = bars("What the network sees");
  const facts = element("p", { class: "lab-facts" });
  const status = say(place);
  const state = { box: 0, radius: 14, covered: null, w: null, made: null, beside: null, outcome: null };
  let [turn, busy] = [0, Promise.resolve()];
  beside.figure.hidden = true;

  /* Do it when what runs has ended, unless something else was wished for meanwhile. */
  function wish(task, saying = "Computing …") {
    const mine = ++turn;
    status.textContent = saying;
    busy = busy.then(async () => {
      if (mine !== turn) return;
      try {
        await task();
        if (mine === turn) status.textContent = "";
      } catch (error) {
        status.textContent = `${error.message.replace(/\.?$/, ".")} What was shown stays.`;
      }
    });
    return busy;
  }

  const test = guess("the score", () => state.covered && state.outcome);
  pointable(photo, "Drag to cover with gray, or move with the arrow keys and press Enter; the price is told below", {
    point: price,
    press(x, y) {
      state.covered ??= ask.image.slice();
      state.outcome = null;
      for (const i of disk(PHOTO_SIDE, x, y, state.radius)) for (let c = 0; c < 3; c++) state.covered[i + c * AREA] = 0.5;
      drawImage(photo, state.covered);
    },
    release: () => wish(cover, "Asking about the covered photo …"),
  });
  pointable(map, "Point at a pixel to read its price, or move with the arrow keys", { point: price });

  function price(x, y) {
    if (!state.made) return;
    const i = y * PHOTO_SIDE + x;
    const [M, w] = [state.made.map[i], [0, 1, 2].map((c) => signed(state.made.signal[i + c * AREA], 3))];
    facts.textContent = `Pixel (${x}, ${y}): (red ${w[0]}, green ${w[1]}, blue ${w[2]}), M = ${M.toFixed(3)}, `
      + (ask.rule === "backprop" ? `price 1/M = ${M > 0 ? (1 / M).toFixed(1) : "beyond all price"}.`
        : "which is no derivative, so it has no price.");
  }

  async function cover() {
    const covered = state.covered;
    if (!covered) return;
    state.w ??= ask.rule === "backprop" ? state.made.signal : await ask.gradient();
    const scores = await ask.scoresOf(covered);
    if (covered !== state.covered) return;
    state.outcome = {
      before: ask.value(ask.scores),
      forecast: forecast(state.w, ask.image, covered),
      after: ask.value(scores),
    };
    test.changed();
  }

  function uncover() {
    Object.assign(state, { covered: null, outcome: null });
    if (ask.image) draw();
    test.changed();
  }

  function draw() {
    drawImage(photo, state.covered ?? ask.image);
    if (!state.made) return;
    drawMap(map, state.made.map, ask.colors);
    const found = state.box ? thresholdBox(state.made.map, state.box) : null;
    if (found) for (const target of [photo, map]) drawBox(target, found.box);
    map.legend.textContent = `${ask.title}, ${RULE_NAMES[ask.rule]}`;
    map.describe(`The map of ${ask.title} by the rule ${RULE_NAMES[ask.rule]}`);
    photo.legend.textContent = state.covered ? "the photo, covered in part" : "the photo: drag to cover a part";
    photo.describe(`The photo ${ask.photo}`);
  }

  async function refresh() {
    const made = await ask.map();
    Object.assign(state, { made, w: null, covered: null, outcome: null });
    const chances = softmax(ask.scores);
    chart.show(ask.top.map((i) => ({
      name: ask.names[i], value: ask.scores[i],
      text: `${ask.scores[i].toFixed(1)} (${Math.round(100 * chances[i])} %)`,
    })));
    tops.replaceChildren(...ask.top.map((i) => button(ask.names[i], () => ask1(i))));
    first.field.value = ask.names[ask.target];
    second.field.value = ask.less >= 0 ? ask.names[ask.less] : "";
    rules.select(ask.rule);
    draw();
    test.changed();
    remember();
  }

  function ask1(index) {
    return wish(() => {
      ask.target = index;
      return refresh();
    });
  }

  function classField(label, choose) {
    const field = element("input", { type: "text", autocomplete: "off", size: 18 });
    field.setAttribute("list", "lab-classes");
    field.addEventListener("change", () => {
      const name = field.value.trim().toLowerCase();
      const index = name ? ask.names.findIndex((other) => other.toLowerCase() === name) : -1;
      if (name && index < 0) {
        status.textContent = `There is no class “${field.value}”: choose one of the list.`;
        return;
      }
      choose(index);
    });
    return Object.assign(element("label", { class: "lab-menu" }, `${label} `, field), { field });
  }

  async function take(file) {
    if (!file) return;
    await wish(async () => {
      await ask.show(await fromFile(file), file.name || "pasted picture");
      ask.less = -1;
      samples.select.value = "";
      await refresh();
    }, "Reading the photo …");
  }

  function remember() {
    const sample = ask.photos.some(({ name }) => name === ask.photo);
    history.replaceState(null, "", sample ? address(ask, state) : location.pathname + location.search);
    link.disabled = !sample;
  }

  /* Bring about a setup from an address. */
  function bring(text) {
    return wish(async () => {
      const setup = fromAddress(text, ask);
      ask.rule = setup.rule;
      ask.less = setup.less;
      if (setup.beside) {
        const wanted = [setup.target, ask.rule, ask.less];
        await ask.sample(setup.photo, setup.beside.target);
        Object.assign(ask, { rule: setup.beside.rule, less: -1 });
        await refresh();
        keep();
        [ask.target, ask.rule, ask.less] = wanted;
        if (ask.target < 0) ask.target = ask.top[0];
      } else {
        drop();
        await ask.sample(setup.photo, setup.target);
      }
      state.box = setup.box;
      boxTick.input.checked = state.box > 0;
      boxScale.hidden = !state.box;
      if (state.box) boxScale.set(state.box);
      samples.select.value = ask.photos.findIndex(({ name }) => name === ask.photo);
      await refresh();
    });
  }

  function keep() {
    beside.context.drawImage(map.canvas, 0, 0);
    beside.legend.textContent = `kept: ${map.legend.textContent}`;
    beside.describe(`Kept beside: the map of ${ask.title} by the rule ${RULE_NAMES[ask.rule]}`);
    beside.figure.hidden = false;
    state.beside = ask.less < 0 ? { target: ask.target, rule: ask.rule } : null;
  }

  function drop() {
    beside.figure.hidden = true;
    state.beside = null;
  }

  function save() {
    const shown = [photo, map, ...(beside.figure.hidden ? [] : [beside])];
    const sheet = element("canvas", { width: shown.length * 336, height: 400 });
    const context = sheet.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, sheet.width, sheet.height);
    shown.forEach(({ canvas, legend }, i) => {
      context.drawImage(canvas, i * 336 + 4, 4, 328, 328);
      context.fillStyle = "#171033";
      context.font = "15px system-ui, sans-serif";
      context.fillText(legend.textContent, i * 336 + 6, 354, 324);
    });
    context.font = "13px system-ui, sans-serif";
    context.fillText("EfficientNet-Lite0. Made with Deep Inside ConvNets.", 6, 384, sheet.width - 12);
    sheet.toBlob((blob) => {
      const out = element("a", { href: URL.createObjectURL(blob), download: `map-${ask.title}.png` });
      out.click();
      setTimeout(() => URL.revokeObjectURL(out.href), 1000);
    });
  }

  const samples = menu("Photo", ask.photos.map(({ title }) => title), 0, (i) =>
    wish(async () => {
      ask.less = -1;
      drop();
      await ask.sample(ask.photos[i].name);
      await refresh();
    }));
  const chooser = element("input", { type: "file", accept: "image/*", class: "lab-file" });
  chooser.addEventListener("change", () => take(chooser.files[0]).then(() => (chooser.value = "")));
  const own = element("label", { class: "lab-own" }, "Your own: ", chooser);
  const tops = element("div", { class: "lab-row", role: "group", "aria-label": "Ask for one of the top five" });
  const first = classField("Class asked for", (index) => index >= 0 && ask1(index));
  const second = classField("less", (index) => wish(() => {
    ask.less = index;
    return refresh();
  }));
  const rules = choice("Rule", RULE_NAMES, ask.rule, (rule) => wish(() => {
    ask.rule = rule;
    return refresh();
  }));
  const boxTick = tick("Box", false, (on) => {
    state.box = on ? Number(boxScale.input.value) : 0;
    boxScale.hidden = !on;
    draw();
    remember();
  });
  const boxScale = slider("above", {
    min: 0.05, max: 0.95, step: 0.05, value: 0.35, format: (v) => `${Math.round(100 * v)} % of the maximum`,
  }, (value) => {
    state.box = value;
    draw();
    remember();
  });
  boxScale.hidden = true;
  const link = button("Copy a link to this", () => navigator.clipboard?.writeText(location.href).then(
    () => (status.textContent = "The link is copied."),
    () => (status.textContent = "The address of this page is the link."),
  ));
  const hint = element("p", { class: "lab-note" });

  place.append(
    element("datalist", { id: "lab-classes" }, ...ask.names.map((name) => element("option", { value: name }))),
    row(samples, own),
    element("p", { class: "lab-note" }, "Choose, drop or paste a photo; on a phone, take one. It stays in this page: "
      + "nothing is sent anywhere."),
    element("div", { class: "lab-row", role: "group", "aria-label": "Five examples" }, "Examples: ",
      ...EXAMPLES.map(([name, setup, sentence]) => button(name, () => {
        hint.textContent = sentence;
        bring(setup);
      }))),
    hint,
    element("div", { class: "lab-pictures three" }, photo.figure, map.figure, beside.figure),
    status,
    facts,
    chart.body,
    tops,
    row(first, second),
    row(rules),
    row(boxTick, boxScale),
    row(slider("Brush", { min: 3, max: 50, step: 1, value: state.radius, format: (v) => `${2 * v + 1} pixels` }, (value) => {
      state.radius = value;
    }), button("Uncover", uncover)),
    test.place,
    row(button("Keep this map beside", () => {
      keep();
      remember();
    }), button("Drop the kept one", () => {
      drop();
      remember();
    }), link, button("Save as picture", save)),
  );
  place.addEventListener("dragover", (event) => event.preventDefault());
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])][0];
    if (file) take(file);
  });
  await bring(location.hash.startsWith("#photo=") ? location.hash.slice(1) : "photo=chelsea");
  place.workbench = { bring, take, idle: () => busy };
}
