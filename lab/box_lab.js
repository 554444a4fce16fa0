/* From a map to a box: everything above a share of the map's maximum, its largest piece, the box around it. */

import { SIDE } from "./creature_network.js";
import { choice, element, row, slider } from "./elements.js";
import { iou, thresholdBox } from "./maps.js";
import { drawBox, drawImage, drawMap, picture } from "./pictures.js";
import { Question } from "./question.js";

const BLUR = { 0: "as it is", 2: "blurred", 5: "blurred more" };

export async function boxLab(place) {
  const ask = await Question.ask(2);
  const photo = picture(SIDE, "the box in yellow, the thing's own in white", "The drawing with two boxes");
  const map = picture(SIDE, "the map, and what is kept of it", "The map");
  const facts = element("p", { class: "lab-facts", role: "status" });
  let [share, blur] = [0.35, "0"];

  function refresh() {
    const M = blurred(ask.map(), Number(blur));
    const found = thresholdBox(M, share);
    drawImage(photo, ask.image);
    drawMap(map, M, ask.colors);
    const truth = ask.boxes[ask.drawing];
    drawBox(photo, truth, "#ffffff", [2, 2]);
    if (found) drawBox(photo, found.box);
    if (found) drawBox(map, found.box);
    const overlap = found ? iou(found.box, truth) : 0;
    facts.textContent = found
      ? `Kept: ${found.mask.reduce((a, b) => a + b)} of ${SIDE * SIDE} pixels in one piece. `
        + `Overlap of the two boxes: ${overlap.toFixed(2)}, ${overlap >= 0.5 ? "a hit" : "a miss"}.`
      : "Nothing was found: the map is nowhere positive.";
    photo.describe(`The drawing of a ${ask.names[ask.drawing]} with the box of its map and its own`);
    map.describe(`The saliency map of ${ask.name}`);
  }

  place.append(
    row(ask.drawingMenu(refresh), ask.classMenu(refresh)),
    element("div", { class: "lab-pictures" }, photo.figure, map.figure),
    row(choice("The map", BLUR, blur, (value) => {
      blur = value;
      refresh();
    }), slider("Threshold", {
      min: 0.05, max: 0.95, step: 0.05, value: share, format: (v) => `${Math.round(100 * v)} %`,
    }, (value) => {
      share = value;
      refresh();
    })),
    facts,
  );
  refresh();
}

/* The mean over squares, twice. */
function blurred(map, radius) {
  let result = map;
  for (let pass = 0; radius && pass < 2; pass++) {
    const before = result;
    result = before.map((_, i) => {
      const [x, y] = [i % SIDE, Math.floor(i / SIDE)];
      let [sum, count] = [0, 0];
      for (let v = Math.max(0, y - radius); v <= Math.min(SIDE - 1, y + radius); v++) {
        for (let u = Math.max(0, x - radius); u <= Math.min(SIDE - 1, x + radius); u++, count++) sum += before[v * SIDE + u];
      }
      return sum / count;
    });
  }
  return result;
}
