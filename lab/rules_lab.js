/* Three rules, two classes, and weights that can be shuffled: what does a map depend on? */

import { SIDE } from "./creature_network.js";
import { button, choice, element, menu, row, tick } from "./elements.js";
import { ReLU } from "./layers.js";
import { rankCorrelation } from "./maps.js";
import { drawImage, drawMap, picture } from "./pictures.js";
import { Question } from "./question.js";

const NAMES = { backprop: "gradient", deconvnet: "DeconvNet", guided: "guided" };
const LAYERS = ["conv 1", "conv 2", "conv 3", "full 1", "full 2"];

export async function rulesLab(place) {
  const ask = await Question.ask(0);
  const photo = picture(SIDE, "the drawing", "The drawing");
  const maps = [picture(SIDE, "", "A map"), picture(SIDE, "", "A map")];
  const classes = [ask.drawing, 6];
  const facts = element("p", { class: "lab-facts", role: "status" });
  const gates = element("p", { class: "lab-note" });
  let [rule, damaged] = ["backprop", []];

  function refresh() {
    const found = classes.map((target) => ask.map(rule, target));
    drawImage(photo, ask.image);
    photo.describe(`The drawing of a ${ask.names[ask.drawing]}`);
    maps.forEach((map, i) => {
      drawMap(map, found[i], ask.colors);
      map.legend.textContent = `${ask.names[classes[i]]}?`;
      map.describe(`The map of ${ask.names[classes[i]]} under the rule ${NAMES[rule]}`);
    });
    const said = [`Rank correlation of the two maps: ${rankCorrelation(...found).toFixed(2)}.`];
    if (damaged.length) {
      const network = ask.network;
      ask.network = ask.intact;
      ask.ran = null;
      const before = ask.map(rule, classes[0]);
      ask.network = network;
      ask.ran = null;
      said.push(`Of the first map with that before the shuffling: ${rankCorrelation(before, found[0]).toFixed(2)}.`);
    }
    facts.textContent = said.join(" ");
    tellGates();
  }

  /* How many of each ReLU's units hand a signal down. */
  function tellGates() {
    const shares = passing(ask, rule, classes[0]);
    gates.textContent = `Signals of “${ask.names[classes[0]]}” that get through each ReLU, from the score down: `
      + `${shares.map((share) => `${Math.round(100 * share)} %`).join(", ")}.`;
  }

  function damage() {
    ask.network = damaged.length ? ask.intact.shuffled(damaged) : ask.intact;
    ask.ran = null;
    refresh();
  }

  const ticks = LAYERS.map((name, i) => tick(name, false, (on) => {
    damaged = on ? [...damaged, i] : damaged.filter((other) => other !== i);
    damage();
  }));
  place.append(
    row(ask.drawingMenu(refresh), ...classes.map((index, k) =>
      menu(k ? "and for" : "Ask for", ask.names, index, (value) => {
        classes[k] = value;
        refresh();
      }))),
    row(choice("Rule of the ReLU", NAMES, rule, (value) => {
      rule = value;
      refresh();
    })),
    element("div", { class: "lab-pictures three" }, photo.figure, ...maps.map((map) => map.figure)),
    facts,
    gates,
    row(element("fieldset", { class: "lab-choice ticks" }, element("legend", {}, "Shuffle the weights of"), ...ticks),
      button("Shuffle again", damage)),
  );
  refresh();
}

/* For each ReLU on the way down: of its units, the share that hands on a signal. */
function passing(ask, rule, target) {
  const { network } = ask;
  const { memory } = ask.run();
  let g = new Float32Array(ask.names.length);
  g[target] = 1;
  const shares = [];
  for (let i = network.layers.length - 1; i >= 0; i--) {
    g = network.layers[i].backward(g, memory[i], rule);
    if (network.layers[i] instanceof ReLU) shares.push(g.reduce((n, v) => n + (v !== 0), 0) / g.length);
  }
  return shares;
}
