/* Twelve cards: an owl beside a tree, and the map of a network. Does the network look at the tree? Then take the tree away. */

import { bars } from "./bars.js";
import { cotangent, SIDE } from "./creature_network.js";
import { button, element, row, slider } from "./elements.js";
import { best, saliency, softmax } from "./maps.js";
import { drawImage, drawMap, picture, pointable } from "./pictures.js";
import { brightness, moved, theSuspects } from "./suspects.js";

export async function suspectLab(place) {
  const given = await theSuspects();
  const { cards, names, owl, least } = given;
  const photo = picture(SIDE, "", "The drawing");
  const map = picture(SIDE, "", "The map");
  const chart = bars("What the network sees");
  const facts = element("p", { class: "lab-facts", role: "status" });
  const strip = element("div", { class: "lab-row lab-cards" });
  const verdicts = new Array(cards.length).fill(null);
  let [at, right, down, from] = [0, 0, 0, null];

  const judge = (guilty) => {
    verdicts[at] = guilty;
    const next = verdicts.indexOf(null);
    if (next >= 0) at = next;
    open(at);
    // Whoever judges by keys goes on judging.
    if (next < 0) thumbs[at].focus();
  };
  const [guilty, innocent] = [button("Guilty: it looks at the tree", () => judge(true)), button("Innocent", () => judge(false))];
  const hand = pointable(photo, "The drawing: after your verdicts, drag the tree, or move with the arrow keys and press Enter", {
    press(x, y) {
      if (!done()) return;
      from ??= [x - right, y - down];
      [right, down] = [x - from[0], y - from[1]];
      away.set(Math.max(-SIDE, Math.min(SIDE, right)));
      refresh();
    },
    release() {
      from = null;
    },
  });
  const away = slider("Move the tree", { min: -SIDE, max: SIDE, step: 1, value: 0, format: (v) => `${v} pixels` }, (value) => {
    right = value;
    refresh();
  });
  const thumbs = cards.map((card, i) => {
    const thumb = button(String(i + 1), () => open(i));
    strip.append(thumb);
    return thumb;
  });
  const done = () => !verdicts.includes(null);

  function open(i) {
    [at, right, down] = [i, 0, 0];
    away.set(0);
    hand.figure.querySelector(".lab-cross").hidden = true;
    refresh();
  }

  function refresh() {
    const card = cards[at];
    const image = moved(card, right, down);
    const ran = card.network.run(image);
    const w = card.network.gradient(ran, cotangent(names.length, owl));
    drawImage(photo, image);
    drawMap(map, saliency(w), given.colors);
    photo.legend.textContent = done() ? "drag the tree away" : `card ${at + 1} of ${cards.length}: an owl and a tree`;
    photo.describe(`Card ${at + 1}: the drawing of an owl beside a tree${right || down ? ", which was moved" : ""}`);
    map.legend.textContent = "the map of “owl” by the network of this card";
    map.describe(`Card ${at + 1}: the saliency map of owl`);
    const chances = softmax(ran.scores);
    chart.show(best(ran.scores, 3).map((i) => ({
      name: names[i], value: ran.scores[i], text: `${ran.scores[i].toFixed(1)} (${Math.round(100 * chances[i])} %)`,
    })));
    chart.body.hidden = away.hidden = !done();
    guilty.hidden = innocent.hidden = done();
    thumbs.forEach((thumb, i) => {
      thumb.setAttribute("aria-current", String(i === at));
      const mark = verdicts[i] === null ? "" : !done() ? " ·" : verdicts[i] === cards[i].guilty ? " ✓" : " ✗";
      thumb.textContent = `${i + 1}${mark}`;
    });
    facts.textContent = done() ? verdict(ran) : `${verdicts.filter((v) => v !== null).length} of ${cards.length} judged. `
      + "Six cards show a network that never saw an owl without a tree, six one that never saw a tree.";
  }

  function verdict(ran) {
    const hits = cards.filter((card, i) => verdicts[i] === card.guilty).length;
    const rule = cards.filter((card) => (brightness(card, owl) >= least) === card.guilty).length;
    const card = cards[at];
    return `You judged ${hits} of ${cards.length} rightly, the rule ${rule}. The rule: guilty if a pixel of the tree is on average `
      + `${least} times as bright as one of the owl, or more; here ${brightness(card, owl).toFixed(2)}. This network is `
      + `${card.guilty ? "guilty" : "innocent"}, and now says ${names[best(ran.scores, 1)[0]]}.`;
  }

  place.append(
    strip,
    element("div", { class: "lab-pictures" }, photo.figure, map.figure),
    row(guilty, innocent, button("Begin anew", () => {
      verdicts.fill(null);
      open(0);
    })),
    row(away),
    chart.body,
    facts,
  );
  open(0);
  place.suspects = { cards, judge };
}
