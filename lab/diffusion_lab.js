/* Watch it draw: the noisy picture and what the network believes in, step by step. Words and guidance may be changed on
   the way; the network comes when it is asked for. */

import { theCreatures } from "./data.js";
import { DRAWN, gaussians, theDenoiser } from "./diffusion_network.js";
import { button, element, menu, row, slider } from "./elements.js";
import { best, softmax } from "./maps.js";
import { drawImage, picture } from "./pictures.js";

const MOMENTS = 20;
const TOLD = ["butterfly", "cat", "fish", "flower", "ladybird", "mushroom", "owl", "snail", "starfish", "tree"];

export async function diffusionLab(place) {
  const given = picture(DRAWN, "what it is given", "Noise");
  const believed = picture(DRAWN, "what it believes in", "The drawing so far");
  const before = picture(DRAWN, "the drawing before", "No drawing was made before");
  const facts = element("p", { class: "lab-facts", role: "status" },
    "“Draw” fetches the network, 2.4 MB, and then its judge, 1.2 MB. The same noise is used until you ask for another.");
  const asked = { first: 6, second: -1, exchange: 0.8, guidance: 2, seed: 1 };
  // The walk: a noisy picture, the steps made, and the last thing said of it.
  let walk = null;
  // Counts how often it was set going or stopped: a loop ends when it is not the last that began.
  let [turn, running] = [0, false];

  const time = (k) => 1 - k / MOMENTS;
  const word = (t) => TOLD[asked.second >= 0 && t <= asked.exchange + 1e-9 ? asked.second : asked.first];
  const shown = (values) => values.map((value) => (value + 1) / 2);

  const draw = Object.assign(button("Draw", () => {
    if (running) {
      halt();
      facts.textContent = `Paused before t = ${time(walk.made).toFixed(2)}.`;
      return;
    }
    if (walk && walk.made === MOMENTS) begin();
    go();
  }), { className: "main" });

  function halt() {
    turn++;
    running = false;
    draw.textContent = walk.made && walk.made < MOMENTS ? "Go on" : "Draw";
  }

  /* Noise again; what was drawn moves aside, to be compared with. */
  function begin() {
    if (walk?.made === MOMENTS) {
      before.context.drawImage(believed.canvas, 0, 0);
      before.figure.hidden = false;
      before.legend.textContent = `before: ${walk.told}`;
      before.describe(`The drawing before: ${walk.told}`);
    }
    turn++;
    running = false;
    walk = { x: gaussians(3 * DRAWN * DRAWN, asked.seed), made: 0, said: [], told: "" };
    draw.textContent = "Draw";
    drawImage(given, shown(walk.x));
    given.legend.textContent = "what it is given, t = 1";
  }

  async function go() {
    const mine = ++turn;
    running = true;
    draw.textContent = "Pause";
    facts.textContent = "Loading the network …";
    try {
      const network = await theDenoiser();
      if (turn === mine) facts.textContent = "It draws.";
      while (turn === mine && place.isConnected) {
        step(network);
        await new Promise(requestAnimationFrame);
        if (turn === mine && walk.made === MOMENTS) {
          halt();
          await judge(walk);
        }
      }
    } catch (error) {
      halt();
      facts.textContent = `The network could not be loaded (${error.message}).`;
    }
  }

  function step(network) {
    const mine = walk;
    const [t, s] = [time(mine.made), time(mine.made + 1)];
    const told = network.predict(mine.x, t, `the ${word(t)}`, asked.guidance);
    if (mine.said.at(-1) !== word(t)) mine.said.push(word(t));
    drawImage(given, shown(mine.x));
    drawImage(believed, shown(told.clean));
    mine.x = network.step(told, s);
    mine.made++;
    given.legend.textContent = `what it is given, t = ${t.toFixed(2)}`;
    believed.legend.textContent = `what it believes in, told “${word(t)}”`;
    believed.describe(`The drawing after ${mine.made} of ${MOMENTS} steps, told ${word(t)}`);
  }

  /* What a network that took no part names the drawing. */
  async function judge(mine) {
    facts.textContent = "It is drawn.";
    const { network, names } = await theCreatures();
    if (walk !== mine) return;
    const P = softmax(network.scores(enlarged(shown(mine.x))));
    const top = best(P, 1)[0];
    mine.told = `told ${mine.said.join(", then ")}, s = ${asked.guidance}`;
    place.drawing = { named: names[top], P: P[top] };
    facts.textContent = `A network that took no part names it “${names[top]}” (P = ${P[top].toFixed(2)}).`;
  }

  place.append(
    row(menu("Begin with", TOLD, asked.first, (i) => (asked.first = i)),
      menu("then", ["the same word", ...TOLD], 0, (i) => (asked.second = i - 1)),
      slider("from t =", { min: 0.05, max: 0.95, step: 0.05, value: asked.exchange, format: (t) => t.toFixed(2) }, (t) => (asked.exchange = t))),
    row(slider("Guidance s", { min: 0, max: 8, step: 0.5, value: asked.guidance }, (s) => (asked.guidance = s)),
      draw, button("Other noise", () => {
        asked.seed++;
        begin();
        facts.textContent = "Other noise.";
      })),
    element("div", { class: "lab-pictures three narrow" }, given.figure, believed.figure, before.figure),
    facts,
  );
  before.figure.hidden = true;
  begin();
  await beforehand(place, believed);
}

/* Until something is drawn, the right half of the prepared picture: a drawing that the package made. */
async function beforehand(place, { context, legend, describe }) {
  const image = place.querySelector(".lab-prepared img");
  await image?.decode().catch(() => null);
  if (!image?.naturalWidth) return;
  const side = image.naturalHeight;
  context.drawImage(image, image.naturalWidth - side, 0, side, side, 0, 0, DRAWN, DRAWN);
  legend.textContent = "a drawing made beforehand: press “Draw” for your own";
  describe("An owl, drawn beforehand");
}

/* Twice as many pixels a side, each a mean of its nearest four: bilinear, as PyTorch enlarges. */
function enlarged(image) {
  const large = new Float32Array(4 * image.length);
  const side = 2 * DRAWN;
  const near = (i) => [Math.max(0, (i - 1) >> 1), Math.min(DRAWN - 1, (i + 1) >> 1), i % 2 ? 0.25 : 0.75];
  for (let c = 0; c < 3; c++) {
    for (let y = 0; y < side; y++) {
      const [above, below, down] = near(y);
      for (let x = 0; x < side; x++) {
        const [left, right, across] = near(x);
        const at = (row, column) => Math.max(0, Math.min(1, image[(c * DRAWN + row) * DRAWN + column]));
        large[(c * side + y) * side + x] = (1 - down) * ((1 - across) * at(above, left) + across * at(above, right))
          + down * ((1 - across) * at(below, left) + across * at(below, right));
      }
    }
  }
  return large;
}
