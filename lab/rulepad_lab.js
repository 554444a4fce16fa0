/* The three rules of the ReLU as corners of a square: a point in it is a rule, too. What do two classes' maps do? */

import { bars } from "./bars.js";
import { SIDE } from "./creature_network.js";
import { button, element, menu, row, slider } from "./elements.js";
import { rankCorrelation } from "./maps.js";
import { drawImage, drawMap, picture, pointable } from "./pictures.js";
import { Question } from "./question.js";

const PAD = 240;
const CORNERS = { gradient: [0, 1], DeconvNet: [1, 0], guided: [0, 0], "nothing stopped": [1, 1] };

export async function rulepadLab(place) {
  const ask = await Question.ask(0);
  const pad = picture(PAD, "drag the point: right opens the gate, up lets negative signals down", "The square of rules");
  pad.figure.classList.add("smooth", "lab-pad");
  const maps = [picture(SIDE, "", "A map"), picture(SIDE, "", "A map")];
  const classes = [ask.drawing, 6];
  const chart = bars("Rank correlation of the two maps");
  const facts = element("p", { class: "lab-facts", role: "status" });
  let [rule, walking, waiting, painted] = [{ gate: 0, slope: 1 }, 0, false, null];

  const to = (gate, slope) => {
    rule = { gate: Math.max(0, Math.min(1, gate)), slope: Math.max(0, Math.min(1, slope)) };
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      refresh();
    });
  };
  pointable(pad, "The square of rules: drag, or move with the arrow keys and press Enter", {
    press(x, y) {
      walking++;
      to(x / (PAD - 1), 1 - y / (PAD - 1));
    },
  });

  /* From here to a corner in half a second, so that the maps are seen to change. */
  function walk([gate, slope]) {
    const mine = ++walking;
    const [from, begun] = [rule, performance.now()];
    const quick = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const step = (now) => {
      if (mine !== walking) return;
      const share = quick ? 1 : Math.min(1, Math.max(0, now - begun) / 600);
      rule = { gate: from.gate + share * (gate - from.gate), slope: from.slope + share * (slope - from.slope) };
      refresh();
      if (share < 1) requestAnimationFrame(step);
    };
    step(performance.now());
  }

  function refresh() {
    const found = classes.map((target) => ask.map(rule, target));
    maps.forEach((map, i) => {
      drawMap(map, found[i], ask.colors);
      const name = ask.names[classes[i]];
      map.legend.textContent = `${name}?`;
      map.describe(`The map of ${name} under the rule with gate ${rule.gate.toFixed(2)} and slope ${rule.slope.toFixed(2)}`);
    });
    gate.set(rule.gate);
    slope.set(rule.slope);
    square();
    const both = rankCorrelation(...found);
    chart.show([{ name: "the two maps", value: both, text: both.toFixed(2) }, { name: "the same map", value: 1, text: "1.00" }]);
    const corner = Object.keys(CORNERS).find((name) => CORNERS[name][0] === rule.gate && CORNERS[name][1] === rule.slope);
    facts.textContent = `gate ${rule.gate.toFixed(2)}, slope ${rule.slope.toFixed(2)}${corner ? `: ${said(corner)}` : ""}. `
      + `Rank correlation of the two maps: ${both.toFixed(2)}.`;
  }

  const said = (corner) => (corner === "gradient" ? "the gradient" : corner === "DeconvNet" ? "the DeconvNet"
    : corner === "guided" ? "guided backpropagation" : "nothing is stopped, a linear network");

  /* The square, its corners, and the point. */
  function square() {
    const { context, canvas } = pad;
    const style = getComputedStyle(canvas);
    const accent = style.getPropertyValue("--pst-color-primary") || style.color;
    context.clearRect(0, 0, PAD, PAD);
    context.strokeStyle = context.fillStyle = style.color;
    context.font = "14px system-ui, sans-serif";
    context.globalAlpha = 0.45;
    context.strokeRect(8, 8, PAD - 16, PAD - 16);
    context.globalAlpha = 1;
    for (const [name, [right, up]] of Object.entries(CORNERS)) {
      context.textAlign = right ? "right" : "left";
      context.fillText(name, right ? PAD - 16 : 16, up ? 28 : PAD - 18);
    }
    context.fillStyle = accent;
    context.beginPath();
    context.arc(8 + rule.gate * (PAD - 16), 8 + (1 - rule.slope) * (PAD - 16), 8, 0, 7);
    context.fill();
    pad.describe(`The square of rules, the point at gate ${rule.gate.toFixed(2)} and slope ${rule.slope.toFixed(2)}`);
    painted = accent;
  }

  function another() {
    drawImage(photo, ask.image);
    photo.describe(`The drawing of a ${ask.names[ask.drawing]}`);
    refresh();
  }

  const photo = picture(SIDE, "the drawing", "The drawing");
  const share = (label, name) => slider(label, { min: 0, max: 1, step: 0.01, value: rule[name], format: (v) => v.toFixed(2) },
    (value) => {
      walking++;
      rule = { ...rule, [name]: value };
      refresh();
    });
  const [gate, slope] = [share("gate", "gate"), share("slope", "slope")];
  place.append(
    row(ask.drawingMenu(another), ...classes.map((index, k) => menu(k ? "and for" : "Ask for", ask.names, index, (value) => {
      classes[k] = value;
      refresh();
    }))),
    row(...Object.keys(CORNERS).map((name) => button(name, () => walk(CORNERS[name])))),
    element("div", { class: "lab-pictures two" }, pad.figure, photo.figure, ...maps.map((map) => map.figure)),
    row(gate, slope),
    chart.body,
    facts,
  );
  another();
  // In another light the square has another ink.
  new MutationObserver(() => painted && square()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}
