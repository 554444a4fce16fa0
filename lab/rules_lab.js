/* Three rules, two classes, and weights that can be shuffled: what does a map depend on? */

import { SIDE } from "./creature_network.js";
import { button, choice, element, menu, row, tick } from "./elements.js";
import { ReLU, RULE_NAMES } from "./layers.js";
import { rankCorrelation } from "./maps.js";
import { drawImage, drawMap, picture } from "./pictures.js";
import { Question } from "./question.js";

const LAYERS = ["conv 1", "conv 2", "conv 3", "full 1", "full 2"];

export async function rulesLab(place) {
  const ask = await Question.ask(0);
  const photo = picture(SIDE, "the drawing", "The drawing");
  const maps = [picture(SIDE, "", "A map"), picture(SIDE, "", "A map")];
  const classes = [ask.drawing, 6];
  const facts = element("p", { class: "lab-facts", role: "status" });
  const gates = element("p", { class: "lab-note" });
  const intact = ask.network;
  let [rule, damaged, before] = ["backprop", [], null];

  function refresh() {
    const shares = [];
    const found = classes.map((target, i) => ask.map(rule, target, i ? null : (layer, g) => {
      if (layer instanceof ReLU) shares.push(g.reduce((count, value) => count + (value !== 0), 0) / g.length);
    }));
    drawImage(photo, ask.image);
    photo.describe(`The drawing of a ${ask.names[ask.drawing]}`);
    maps.forEach((map, i) => {
      drawMap(map, found[i], ask.colors);
      map.legend.textContent = `${ask.names[classes[i]]}?`;
      map.describe(`The map of ${ask.names[classes[i]]} under the rule ${RULE_NAMES[rule]}`);
    });
    if (!damaged.length) before = found[0];
    facts.textContent = `Rank correlation of the two maps: ${rankCorrelation(...found).toFixed(2)}.`
      + (damaged.length && before
        ? ` Of the first map with that before the shuffling: ${rankCorrelation(before, found[0]).toFixed(2)}.` : "");
    gates.textContent = `Signals of “${ask.names[classes[0]]}” that get through each ReLU, from the score down: `
      + `${shares.map((share) => `${Math.round(100 * share)} %`).join(", ")}.`;
  }

  /* Another question: the map before the shuffling is another one, too. */
  function another() {
    before = null;
    if (damaged.length) {
      const shuffled = ask.network;
      Object.assign(ask, { network: intact, ran: null });
      before = ask.map(rule, classes[0]);
      Object.assign(ask, { network: shuffled, ran: null });
    }
    refresh();
  }

  function damage() {
    Object.assign(ask, { network: damaged.length ? intact.shuffled(damaged) : intact, ran: null });
    refresh();
  }

  const ticks = LAYERS.map((name, i) => tick(name, false, (on) => {
    damaged = on ? [...damaged, i] : damaged.filter((other) => other !== i);
    damage();
  }));
  const rules = choice("Rule of the ReLU", RULE_NAMES, rule, (value) => {
    rule = value;
    another();
  });
  place.append(
    row(ask.drawingMenu(another), ...classes.map((index, k) =>
      menu(k ? "and for" : "Ask for", ask.names, index, (value) => {
        classes[k] = value;
        another();
      }))),
    row(rules),
    element("div", { class: "lab-pictures three" }, photo.figure, ...maps.map((map) => map.figure)),
    facts,
    gates,
    row(element("fieldset", { class: "lab-choice ticks" }, element("legend", {}, "Shuffle the weights of"), ...ticks),
      button("Shuffle again", damage)),
  );
  begin();

  /* A link may ask for a rule and for layers to shuffle: `#lab-rules&rule=guided&shuffle=2,3,4`. */
  function begin() {
    const asked = new URLSearchParams(location.hash.startsWith("#lab-rules&") ? location.hash.slice(1) : "");
    if (asked.get("rule") in RULE_NAMES) rules.select((rule = asked.get("rule")));
    another();
    damaged = (asked.get("shuffle") ?? "").split(",").filter((layer) => /^[0-4]$/.test(layer)).map(Number);
    for (const layer of damaged) ticks[layer].input.checked = true;
    if (damaged.length) damage();
  }
}
