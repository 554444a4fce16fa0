/* The photo lab on the page: its pictures, names and controls in their places, and how a state is shown in them. */

import { brush } from "./brush.js";
import { button, element, row } from "./elements.js";
import { nameBox } from "./name_box.js";
import { networkBar } from "./network_bar.js";
import { boxTools, brushTools, photoStrip, wayChips } from "./photo_tools.js";
import { showMap, showPhoto, stage } from "./photo_view.js";
import { photoTitle, titleOf } from "./photo_words.js";
import { pointable } from "./pictures.js";
import { wager } from "./wager.js";
import { METHODS } from "./ways.js";

export function photoPage(place, lab) {
  const { manifest, network } = lab;
  const change = (changes) => lab.change(changes);
  const [photo, map, beside] = ["The photo", "The map", "The map kept beside"].map(stage);
  const strip = photoStrip(place, manifest.photos, { sample: (name) => lab.sample(name), take: (file) => lab.take(file) });
  const painter = brush(photo, () => lab.state, (strokes, painting) => change({ strokes, painting }));
  const tools = brushTools({
    radius: (radius) => change({ radius }),
    undo: () => change({ strokes: lab.state.strokes.slice(0, -1) }),
    clear: () => change({ strokes: [] }),
    hand: painter.use,
  });
  pointable(map, "Point at a pixel to read the map there, or move with the arrow keys", {
    point: (x, y) => lab.show({ pixel: { x, y } }),
    leave: () => lab.show({ pixel: null }),
  });
  const ways = wayChips((method) => change({ method, peek: -1 }));
  const names = nameBox({ label: "Ask for any of 1000 names", placeholder: "Ask for any of 1000 names …" }, {
    rows: (text) => lab.words.rows(text),
    peek: (peek) => lab.peek(peek),
    choose: (target) => change({ target, peek: -1, less: lab.state.less === target ? -1 : lab.state.less }),
  });
  const rather = nameBox({ label: "Rather than", placeholder: "rather than a second name …", folded: true }, {
    rows: (text) => lab.words.rows(text),
    peek: () => {},
    choose: (less) => change({ less: less === lab.state.target ? -1 : less }),
  });
  const less = button("", () => change({ less: -1 }));
  const bet = wager({
    value: (value) => change({ guess: { ...lab.state.guess, value } }),
    show: () => change({ guess: { ...lab.state.guess, shown: true } }),
  });
  const box = boxTools((share) => change({ box: share }));
  const compare = button("", () => lab.compare());
  const guessing = button("Guess first", () => change({ guess: lab.state.guess ? null : { value: 0, shown: false } }));
  const stop = button("Stop", () => lab.stop());
  const grown = element("span", { class: "lab-value" });
  const growth = element("div", { class: "lab-growth" }, grown, stop);
  map.figure.append(growth);
  place.addEventListener("keydown", ({ key }) => key === "Escape" && lab.words.growing && lab.stop());
  const bar = networkBar(network);
  const sentence = element("p", { class: "lab-sentence", role: "status" });
  const message = element("p", { class: "lab-note", role: "status" });
  const note = element("p", { class: "lab-note lab-about" });
  const views = viewSwitch((view) => {
    place.dataset.view = view;
    lab.render();
  });

  place.dataset.view = "over"; // told apart on a small screen only
  place.append(
    strip.strip,
    views,
    element("div", { class: "lab-desk" },
      element("div", { class: "lab-side photo" }, photo.figure, tools.body),
      element("div", { class: "lab-side kept" }, beside.figure),
      element("div", { class: "lab-side map" }, map.figure, ways),
      element("div", { class: "lab-side names" }, names.box, row(rather.box, less), bar.body),
    ),
    sentence,
    row(compare, guessing, ...box.parts, button("Copy a link", () => lab.copy()), button("Save as picture", () => lab.save())),
    bet.body, note, message,
  );

  function show(words) {
    const { state, answers } = lab;
    const image = answers.image(state);
    const over = place.dataset.view === "over" && views.checkVisibility();
    const shown = answers.shown(state);
    const { found, kept } = words;
    const looked = answers.image(answers.at(state));
    strip.show({ photo: state.photo, title: photoTitle(state, manifest) });
    tools.show(state);
    painter.ring(state.radius);
    showPhoto(photo, image, words.box.box);
    captions(photo, words.photo, words.photoDescription);
    showMap(map, looked, found?.map, { coarse: METHODS[shown.method].coarse, over, colors: manifest.colors, box: words.box.box });
    map.figure.classList.toggle("waits", !found || words.waits);
    captions(map, words.map, words.mapDescription, words.alike);
    beside.figure.parentElement.hidden = !state.beside;
    place.classList.toggle("comparing", Boolean(state.beside));
    if (kept) showMap(beside, looked, kept.map, { coarse: METHODS[state.beside.method].coarse, over, colors: manifest.colors });
    beside.figure.classList.toggle("waits", !kept || words.waits);
    captions(beside, words.beside, words.besideDescription);
    ways.select(state.method);
    names.show(state.target);
    names.box.setAttribute("aria-busy", String(words.waits));
    rather.show(state.less);
    less.hidden = state.less < 0;
    less.textContent = state.less >= 0 ? `rather than ${manifest.names[state.less]} ✕` : "";
    compare.textContent = state.beside ? "Stop comparing" : "Compare with …";
    guessing.setAttribute("aria-pressed", String(Boolean(state.guess)));
    box.show(state);
    bet.show(state, answers.outcome(state), titleOf(state, manifest.names));
    growth.hidden = !words.growing;
    grown.textContent = words.growing?.text ?? "";
    stop.hidden = !words.growing || words.growing.stopped;
    bar.show();
    const said = [lab.message, words.box.text].filter(Boolean).join(" ");
    for (const [line, text] of [[sentence, words.sentence], [message, said], [note, words.pixel || words.note]]) {
      if (line.textContent !== text) line.textContent = text;
    }
    place.dataset.network = network.stage;
  }

  const pictures = () => Object.entries({ photo, beside, map }).filter(([name]) => name !== "beside" || lab.state.beside);
  return { show, sheet: () => pictures().map(([name, { canvas }]) => ({ canvas, text: lab.words.sheet[name] })) };
}

function captions({ legend, right, describe }, text, description, other = "") {
  legend.textContent = text;
  right.textContent = other;
  right.hidden = !other;
  describe(description);
}

/* On a small screen: the photo, the map, or the map over the photo. */
function viewSwitch(choose) {
  const views = { photo: "photo", map: "map", over: "overlay" };
  const buttons = Object.entries(views).map(([view, text]) => {
    const made = button(text, () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === made));
      choose(view);
    });
    made.setAttribute("aria-pressed", String(view === "over"));
    return made;
  });
  return element("div", { class: "lab-views", role: "group", "aria-label": "Picture" }, ...buttons);
}
