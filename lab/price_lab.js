/* What a pixel is worth: its three weights, its price, and what a nudge really does.

   A click holds a pixel, so that the way to the slider selects no other one; until Escape frees it, pointing elsewhere
   only tells what is there. */

import { PIXELS, SIDE } from "./creature_network.js";
import { choice, element, row, signed, slider } from "./elements.js";
import { guess } from "./guess.js";
import { forecast, saliency } from "./maps.js";
import { drawImage, drawMap, picture, pointable } from "./pictures.js";
import { Question } from "./question.js";

const CHANNELS = ["red", "green", "blue"];
const REACH = { pixel: 0, patch: 3, image: SIDE };

export async function priceLab(place) {
  const ask = await Question.ask(6);
  const photo = picture(SIDE, "the drawing, nudged", "The drawing");
  const map = picture(SIDE, "M, the saliency map", "The saliency map");
  const facts = element("p", { class: "lab-facts", role: "status" });
  const state = element("p", { class: "lab-note", role: "status" });
  let [w, M, reach, size, changed, held] = [null, null, "pixel", 0, null, false];

  const help = "Click to hold a pixel, or move with the arrow keys and press Enter; Escape frees it";
  const hands = [photo, map].map((shown, i) => pointable(shown, help, {
    point: (x, y, how) => (i ? hands[0].move(x, y, how) : select(x, y)),
    press: () => hold(true),
    held: () => held,
    peek: tell,
    leave: () => held && tell(hands[0].at.x, hands[0].at.y),
    free: () => hold(false),
  }));
  const pointer = hands[0];
  const test = guess("the score", () => size && {
    before: ask.scores[ask.target],
    forecast: forecast(w, ask.image, changed),
    after: ask.score(changed),
  });
  const nudge = slider("Nudge", { min: -1, max: 1, step: 0.02, value: 0, format: (v) => signed(v) }, (value) => {
    size = value;
    apply();
    test.changed();
  });

  /* Move each pixel in reach by the nudge, in the direction in which its weight says that the score rises. */
  function apply() {
    changed = ask.image.slice();
    const radius = REACH[reach];
    for (let y = Math.max(0, pointer.at.y - radius); y <= Math.min(SIDE - 1, pointer.at.y + radius); y++) {
      for (let x = Math.max(0, pointer.at.x - radius); x <= Math.min(SIDE - 1, pointer.at.x + radius); x++) {
        for (let i = y * SIDE + x; i < 3 * PIXELS; i += PIXELS) {
          changed[i] = Math.max(0, Math.min(1, changed[i] + size * Math.sign(w[i])));
        }
      }
    }
    drawImage(photo, changed);
  }

  function hold(wanted) {
    held = wanted;
    for (const { cross } of hands) cross.classList.toggle("held", held);
    state.textContent = held
      ? `Pixel (${pointer.at.x}, ${pointer.at.y}) is held: Escape frees it, a click takes another.`
      : "Click a pixel to hold it.";
  }

  function select(x, y) {
    Object.assign(hands[1].at, { x, y });
    hands[1].cross.hidden = false;
    hands[1].cross.style.cssText = pointer.cross.style.cssText;
    if (held) hold(true);
    tell(x, y);
    if (!size) return;
    apply();
    test.changed();
  }

  function tell(x, y) {
    const i = y * SIDE + x;
    const weights = CHANNELS.map((name, c) => `${name} ${signed(w[i + c * PIXELS])}`).join(", ");
    const price = M[i] > 0 ? (1 / M[i]).toFixed(2) : "beyond all price";
    facts.replaceChildren(
      element("span", {}, `Pixel (${x}, ${y}): w = (${weights}).`),
      element("span", {}, `M = max |w| = ${M[i].toFixed(2)}, price 1/M = ${price}.`),
      element("span", {}, `S(I) ≈ ${ask.scores[ask.target].toFixed(2)} + w · (I − I₀): one gray level here moves the `
        + `score by at most ${(M[i] / 255).toFixed(4)}.`),
    );
  }

  function refresh() {
    w = ask.gradient();
    M = saliency(w);
    drawMap(map, M, ask.colors);
    photo.describe(`The drawing of a ${ask.names[ask.drawing]}, 64 by 64 pixels`);
    map.describe(`The saliency map of ${ask.name} in the drawing of a ${ask.names[ask.drawing]}`);
    size = 0;
    nudge.set(0);
    apply();
    test.changed();
    pointer.move(pointer.at.x, pointer.at.y);
  }

  place.append(
    row(ask.drawingMenu(refresh), ask.classMenu(refresh)),
    element("div", { class: "lab-pictures" }, photo.figure, map.figure),
    facts,
    state,
    row(choice("Nudge", { pixel: "this pixel", patch: "7 × 7 around it", image: "every pixel" }, "pixel", (value) => {
      reach = value;
      apply();
      test.changed();
    }), nudge),
    test.place,
  );
  hold(false);
  refresh();
}
