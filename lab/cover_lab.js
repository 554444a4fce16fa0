/* Cover a part: guess first, then compare the linear forecast with what the network does. */

import { PIXELS, SIDE } from "./creature_network.js";
import { button, element, row, slider } from "./elements.js";
import { guess } from "./guess.js";
import { forecast, saliency } from "./maps.js";
import { disk, drawImage, drawMap, picture, pointable } from "./pictures.js";
import { Question } from "./question.js";

const GRAY = 0.5;

export async function coverLab(place) {
  const ask = await Question.ask(1);
  const photo = picture(SIDE, "the drawing: paint over it", "The drawing");
  const map = picture(SIDE, "M, the saliency map", "The saliency map");
  let [covered, radius, w] = [null, 5, null];
  const test = guess("the score", () => covered && {
    before: ask.scores[ask.target],
    forecast: forecast(w, ask.image, covered),
    after: ask.score(covered),
  });
  const pointer = pointable(photo, "Drag to paint gray, or move with the arrow keys and press Enter", {
    press(x, y) {
      covered ??= ask.image.slice();
      for (const i of disk(SIDE, x, y, radius)) for (let c = 0; c < 3; c++) covered[i + c * PIXELS] = GRAY;
      drawImage(photo, covered);
    },
    release: test.changed,
  });

  function refresh() {
    covered = null;
    w = ask.gradient();
    drawImage(photo, ask.image);
    drawMap(map, saliency(w), ask.colors);
    photo.describe(`The drawing of a ${ask.names[ask.drawing]}, to be painted over`);
    map.describe(`The saliency map of ${ask.name} in the drawing of a ${ask.names[ask.drawing]}`);
    pointer.figure.querySelector(".lab-cross").hidden = true;
    test.changed();
  }

  place.append(
    row(ask.drawingMenu(refresh), ask.classMenu(refresh)),
    element("div", { class: "lab-pictures" }, photo.figure, map.figure),
    row(slider("Brush", { min: 1, max: 16, step: 1, value: radius, format: (v) => `${2 * v + 1} pixels` }, (value) => {
      radius = value;
    }), button("Uncover", refresh)),
    test.place,
  );
  refresh();
}
