/* The deletion race: whose brightest pixels does the network miss first? Two maps and one that knows nothing. */

import { PIXELS, SIDE } from "./creature_network.js";
import { load } from "./data.js";
import { area, grayed, ordered, probability } from "./deletion.js";
import { button, choice, element, menu, row } from "./elements.js";
import { saliency } from "./maps.js";
import { decode } from "./packing.js";
import { drawImage, picture } from "./pictures.js";
import { Question } from "./question.js";

const LAPS = 20;
const WAYS = ["gradient", "guided", "gradient × (image − gray)", "guided, asked for another name"];
const LANES = ["first map", "second map", "empty map"];
const COLORS = ["#d9662b", "#7a62d0", "#8d8598"];

export async function raceLab(place) {
  const ask = await Question.ask(1);
  const ties = new Uint16Array(decode((await load("race")).order).buffer);
  const runners = LANES.map((name) => picture(SIDE, name, name));
  const board = element("canvas", { width: 480, height: 220, role: "img", "aria-label": "The race has not begun" });
  const result = element("p", { class: "lab-facts", role: "status" }, "Who falls first? Bet, then start.");
  const ways = [0, 3];
  let [bet, race] = ["0", null];

  const other = () => (ask.drawing + 1) % ask.names.length;
  const title = (lane) => (lane === 2 ? "the empty map, in a random order"
    : ways[lane] === 3 ? `guided, asked for ${ask.names[other()]}` : WAYS[ways[lane]]);

  /* The map of a lane: whatever it is of, the probability that falls is that of the drawing's own name. */
  function mapOf(lane) {
    const own = ask.drawing;
    if (lane === 2) return new Float32Array(PIXELS);
    if (ways[lane] === 0) return ask.map("backprop", own);
    if (ways[lane] === 1) return ask.map("guided", own);
    if (ways[lane] === 3) return ask.map("guided", other());
    const w = ask.gradient("backprop", own);
    return Float32Array.from({ length: PIXELS }, (_, i) =>
      [0, 1, 2].reduce((sum, c) => sum + w[i + c * PIXELS] * (ask.image[i + c * PIXELS] - 0.5), 0));
  }

  function reset() {
    race = null;
    runners.forEach((runner, lane) => {
      drawImage(runner, ask.image);
      runner.legend.textContent = title(lane);
      runner.describe(`The drawing of a ${ask.names[ask.drawing]}, whole, for ${title(lane)}`);
    });
    result.textContent = `How sure is it of “${ask.names[ask.drawing]}” while its pixels go? Whose curve falls first?`;
    curvesOn(board, [], 0);
  }

  function start() {
    race = { orders: LANES.map((_, lane) => ordered(mapOf(lane), ties)), curves: [[], [], []], step: 0 };
    const mine = race;
    const tick = () => {
      if (race !== mine || !place.isConnected) return;
      step(mine);
      if (mine.step > LAPS) return finish(mine);
      requestAnimationFrame(tick);
    };
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) return tick();
    while (mine.step <= LAPS) step(mine);
    finish(mine);
  }

  function step(mine) {
    const count = Math.round((mine.step / LAPS) * PIXELS);
    mine.orders.forEach((order, lane) => {
      mine.curves[lane].push(probability(ask.network, ask.image, order, ask.drawing, mine.step, LAPS));
      drawImage(runners[lane], grayed(ask.image, order, count));
    });
    mine.step++;
    curvesOn(board, mine.curves, LAPS);
  }

  function finish({ curves }) {
    const areas = curves.map(area);
    const won = areas.indexOf(Math.min(...areas));
    const told = areas.map((value, lane) => `${title(lane)} ${value.toFixed(2)}`).join("; ");
    result.textContent = `${Number(bet) === won ? "You won" : "You lost"}: least is ${title(won)}. Mean probability on the way: ${told}.`
      + (ways[won] === 3 ? " The winner was asked for another name: that its pixels are missed is no sign that it answers your question." : "");
    // Which pixels went first is seen best where most are still there.
    runners.forEach((runner, lane) => {
      drawImage(runner, grayed(ask.image, race.orders[lane], Math.round(PIXELS / 3)));
      runner.describe(`The first third of the pixels gray, in the order of ${title(lane)}`);
    });
    board.setAttribute("aria-label", `Mean probability on the way: ${told}`);
    place.race = { areas };
  }

  place.append(
    row(ask.drawingMenu(reset), ...ways.map((way, lane) => menu(lane ? "Against" : "Map", WAYS, way, (value) => {
      ways[lane] = value;
      reset();
    }))),
    row(choice("I bet on", Object.fromEntries(LANES.map((name, lane) => [lane, name])), bet, (value) => {
      bet = value;
    }), Object.assign(button("Start", start), { className: "main" })),
    element("div", { class: "lab-pictures three narrow" }, ...runners.map((runner) => runner.figure)),
    element("figure", { class: "lab-picture smooth wide" }, board, element("figcaption", {},
      "the probability of its own name, from the whole drawing to gray")),
    result,
  );
  runners.forEach((runner, lane) => runner.figure.style.setProperty("--lane", COLORS[lane]));
  reset();
}

function curvesOn(canvas, curves, steps) {
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  context.strokeStyle = context.fillStyle = getComputedStyle(canvas).color;
  context.font = "14px system-ui, sans-serif";
  context.globalAlpha = 0.35;
  context.lineWidth = 1;
  context.strokeRect(0.5, 0.5, width - 1, height - 1);
  context.globalAlpha = 1;
  context.fillText("1", 8, 20);
  context.fillText("0", 8, height - 8);
  curves.forEach((curve, lane) => {
    context.strokeStyle = COLORS[lane];
    context.lineWidth = 3.5;
    context.setLineDash([[], [9, 5], [2, 4]][lane]);
    context.beginPath();
    curve.forEach((value, i) => context.lineTo(4 + ((width - 8) * i) / steps, height - 5 - (height - 10) * value));
    context.stroke();
  });
  context.setLineDash([]);
}
