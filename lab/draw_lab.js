/* Draw or edit a creature while the network looks on. */

import { bars } from "./bars.js";
import { PIXELS, SIDE } from "./creature_network.js";
import { button, choice, element, menu, row, slider } from "./elements.js";
import { best, softmax } from "./maps.js";
import { disk, drawImage, drawMap, picture, pointable } from "./pictures.js";
import { Question } from "./question.js";

const PAINTS = {
  "#e8452c": "red", "#f2b632": "yellow", "#3fa34d": "green", "#2f7fd6": "blue",
  "#8a5a33": "brown", "#161418": "black", "#f5f2eb": "white", "#808080": "gray",
};
const FOLLOW = "what it sees";

export async function drawLab(place) {
  const ask = await Question.ask(4);
  const sheet = picture(SIDE, "draw on it", "The sheet");
  const map = picture(SIDE, "", "The saliency map");
  const chart = bars("What the network sees");
  let [paint, radius, history, last, waiting, asked] = [Object.keys(PAINTS)[0], 3, [], null, false, -1];

  const pointer = pointable(sheet, "Drag to draw, or move with the arrow keys and press Enter", {
    press(x, y) {
      if (!last) history.push(ask.image);
      const image = last ? ask.image : ask.image.slice();
      const color = [1, 3, 5].map((at) => parseInt(paint.slice(at, at + 2), 16) / 255);
      for (const [u, v] of between(last ?? [x, y], [x, y])) {
        for (const i of disk(SIDE, u, v, radius)) for (let c = 0; c < 3; c++) image[i + c * PIXELS] = color[c];
      }
      last = [x, y];
      ask.show(image);
      drawImage(sheet, image);
      soon();
    },
    release() {
      last = null;
    },
    resumes: true,
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
    const three = best(ask.scores, 3);
    chart.show(three.map((i) => ({
      name: ask.names[i], value: ask.scores[i], text: `${plain(ask.scores[i])} (${Math.round(100 * chances[i])} %)`,
    })));
    // The map follows the first answer, unless a name was asked for.
    ask.target = asked < 0 ? three[0] : asked;
    drawMap(map, ask.map(), ask.colors);
    map.legend.textContent = `the map of “${ask.name}”: where it is bright, paint counts`;
    sheet.describe(`The sheet with your drawing, in which the network sees: ${ask.names[three[0]]}`);
    map.describe(`The saliency map of ${ask.name} in your drawing`);
  }

  function begin(image) {
    history.push(ask.image);
    ask.show(image);
    refresh();
  }

  const paints = choice("Paint", PAINTS, paint, (value) => {
    paint = value;
  });
  for (const input of paints.querySelectorAll("input")) {
    input.nextSibling.style.setProperty("--paint", input.value);
    input.nextSibling.classList.add("lab-paint");
  }
  place.append(
    element("div", { class: "lab-pictures" }, sheet.figure, map.figure),
    chart.body,
    row(paints, slider("Brush", { min: 0, max: 10, step: 1, value: radius, format: (v) => `${2 * v + 1} pixels` }, (value) => {
      radius = value;
      pointer.ring(2 * radius + 1);
    })),
    row(button("Clear", () => begin(new Float32Array(3 * PIXELS).fill(0.62))), button("Undo", () => {
      if (!history.length) return;
      ask.show(history.pop());
      refresh();
    }), ask.drawingMenu(refresh), menu("Map of", [FOLLOW, ...ask.names], 0, (i) => {
      asked = i - 1;
      refresh();
    })),
  );
  pointer.ring(2 * radius + 1);
  refresh();
  // What was drawn on the prepared picture while the network was on its way.
  pointer.repeat(place.strokes ?? []);
}

/* The pixels of a straight stroke from one to another. */
function between([x, y], [u, v]) {
  const steps = Math.max(1, Math.abs(u - x), Math.abs(v - y));
  return Array.from({ length: steps + 1 }, (_, i) => [
    Math.round(x + (i * (u - x)) / steps), Math.round(y + (i * (v - y)) / steps),
  ]);
}

/* A score as people write it: a real minus, and none before 0. */
function plain(score) {
  return score.toFixed(1).replace(/^-(0\.0)$/, "$1").replace("-", "−");
}
