/* Draw or edit a creature while the network looks on. */

import { bars } from "./bars.js";
import { PIXELS, SIDE } from "./creature_network.js";
import { button, choice, element, row, slider } from "./elements.js";
import { best, softmax } from "./maps.js";
import { disk, drawImage, drawMap, picture, pointable } from "./pictures.js";
import { Question } from "./question.js";

const PAINTS = {
  "#e8452c": "red", "#f2b632": "yellow", "#3fa34d": "green", "#2f7fd6": "blue",
  "#8a5a33": "brown", "#161418": "black", "#f5f2eb": "white", "#808080": "gray",
};

export async function drawLab(place) {
  const ask = await Question.ask(4);
  const sheet = picture(SIDE, "the sheet: draw on it", "The sheet");
  const map = picture(SIDE, "M, the saliency map", "The saliency map");
  const chart = bars("What the network sees");
  let [paint, radius, history, stroke, waiting] = [Object.keys(PAINTS)[0], 3, [], false, false];

  pointable(sheet, "Drag to draw, or move with the arrow keys and press Enter", {
    press(x, y) {
      if (!stroke) history.push(ask.image);
      const image = stroke ? ask.image : ask.image.slice();
      stroke = true;
      const color = [1, 3, 5].map((at) => parseInt(paint.slice(at, at + 2), 16) / 255);
      for (const i of disk(SIDE, x, y, radius)) for (let c = 0; c < 3; c++) image[i + c * PIXELS] = color[c];
      ask.show(image);
      drawImage(sheet, image);
      soon();
    },
    release() {
      stroke = false;
    },
  });

  /* Once a frame at most, however fast the hand is. */
  function soon() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      refresh();
    });
  }

  function refresh() {
    drawImage(sheet, ask.image);
    const chances = softmax(ask.scores);
    chart.show(best(ask.scores, 3).map((i) => ({
      name: ask.names[i], value: ask.scores[i],
      text: `${ask.scores[i].toFixed(1)} (${Math.round(100 * chances[i])} %)`,
    })));
    drawMap(map, ask.map(), ask.colors);
    sheet.describe("The sheet with your drawing");
    map.describe(`The saliency map of ${ask.name} in your drawing`);
  }

  function begin(image) {
    history.push(ask.image);
    ask.show(image);
    refresh();
  }

  place.append(
    row(ask.drawingMenu(refresh), ask.classMenu(refresh), button("Empty sheet", () => {
      begin(new Float32Array(3 * PIXELS).fill(0.62));
    }), button("Undo", () => {
      if (!history.length) return;
      ask.show(history.pop());
      refresh();
    })),
    element("div", { class: "lab-pictures" }, sheet.figure, map.figure),
    row(choice("Paint", PAINTS, paint, (value) => {
      paint = value;
    }), slider("Brush", { min: 0, max: 10, step: 1, value: radius, format: (v) => `${2 * v + 1} pixels` }, (value) => {
      radius = value;
    })),
    chart.body,
  );
  for (const input of place.querySelectorAll(".lab-choice input")) {
    input.nextSibling.style.setProperty("--paint", input.value);
    input.nextSibling.classList.add("lab-paint");
  }
  refresh();
}
