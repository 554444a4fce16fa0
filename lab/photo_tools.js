/* The photo lab's controls: which photo, which way to ask, the brush, and what else can be done. */

import { button, choice, element, row, slider, tick } from "./elements.js";
import { BRUSH } from "./strokes.js";
import { METHODS } from "./ways.js";

/* The photos as pictures to choose from, and the reader's own. `on.sample(name)`, `on.take(file)`. */
export function photoStrip(place, photos, on) {
  const buttons = photos.map(({ name, title, small }) => {
    const made = button("", () => on.sample(name));
    made.append(element("img", { src: small, alt: title, width: 48, height: 48 }));
    return Object.assign(made, { title, name });
  });
  const own = element("span", { class: "lab-note" });
  const file = chooser("+ Your photo", {}, on.take);
  const camera = chooser("Camera", { capture: "environment" }, on.take);
  camera.classList.add("lab-touch");
  place.addEventListener("dragover", (event) => event.preventDefault());
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    on.take(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => on.take([...(event.clipboardData?.files ?? [])][0]));
  const strip = element("div", { class: "lab-strip", role: "group", "aria-label": "Photo" }, ...buttons, file, camera, own);
  return {
    strip,
    show({ photo, title }) {
      for (const made of buttons) made.setAttribute("aria-pressed", String(made.name === photo));
      own.textContent = photo.startsWith("own:") ? `Your photo: ${title}` : "or drop or paste one: it stays in this page";
    },
  };
}

function chooser(text, options, take) {
  const input = element("input", { type: "file", accept: "image/*", ...options });
  input.addEventListener("change", () => {
    take(input.files[0]);
    input.value = "";
  });
  return element("label", { class: "lab-chip" }, input, element("span", {}, text));
}

/* The ways to ask, one of them chosen. */
export function wayChips(choose) {
  const chips = choice("Method", Object.fromEntries(Object.entries(METHODS).map(([key, { title }]) => [key, title])), "cam", choose);
  chips.classList.add("lab-ways");
  for (const input of chips.querySelectorAll("input")) input.parentElement.title = METHODS[input.value].about;
  return chips;
}

export function brushTools(on) {
  const scale = slider("Brush", {
    min: BRUSH.least, max: BRUSH.most, step: 1, value: BRUSH.usual, format: (r) => `${2 * r + 1} px`,
  }, on.radius);
  const [undo, clear] = [button("Undo", on.undo), button("Uncover", on.clear)];
  const hands = choice("Finger", { scroll: "scrolls", paint: "paints" }, "scroll", on.hand);
  hands.classList.add("lab-touch");
  return {
    body: row(scale, undo, clear, hands),
    show({ radius, strokes }) {
      scale.set(radius);
      undo.disabled = clear.disabled = !strokes.length;
    },
  };
}

/* The box around the brightest piece of the map. */
export function boxTools(choose) {
  const on = tick("Box", false, (wanted) => choose(wanted ? Number(scale.input.value) : 0));
  const scale = slider("above", {
    min: 0.05, max: 0.95, step: 0.05, value: 0.35, format: (v) => `${Math.round(100 * v)} % of the maximum`,
  }, choose);
  return {
    parts: [on, scale],
    show({ box }) {
      on.input.checked = box > 0;
      scale.hidden = !box;
      if (box) scale.set(box);
    },
  };
}
