/* The photo lab at work: what is asked of the network, what is covered and kept, and the pictures that show it. */

import { bars } from "./bars.js";
import { element, say, signed } from "./elements.js";
import { guess } from "./guess.js";
import { RULE_NAMES } from "./layers.js";
import { forecast, softmax, thresholdBox } from "./maps.js";
import { fromFile, PHOTO_SIDE } from "./photos.js";
import { disk, drawBox, drawImage, drawMap, picture, pointable } from "./pictures.js";
import { address, fromAddress } from "./setup.js";
import { saveSheet } from "./sheet.js";
import { Turns } from "./turns.js";
import { arrange } from "./workbench_controls.js";

const AREA = PHOTO_SIDE * PHOTO_SIDE;

/* The workbench in its place, showing what the page's address asks for. */
export async function workbench(place, ask) {
  const bench = new Workbench(place, ask);
  bench.controls = arrange(place, bench);
  await bench.bring(location.hash.startsWith("#photo=") ? location.hash.slice(1) : "photo=chelsea");
  place.workbench = {
    bring: (text) => bench.bring(text), take: (file) => bench.take(file), idle: () => bench.turns.busy,
  };
}

class Workbench {
  constructor(place, ask) {
    this.ask = ask;
    this.photo = picture(PHOTO_SIDE, "the photo", "The photo");
    this.map = picture(PHOTO_SIDE, "", "The map");
    this.beside = picture(PHOTO_SIDE, "", "The map kept beside");
    this.beside.figure.hidden = true;
    this.chart = bars("What the network sees");
    this.facts = element("p", { class: "lab-facts" });
    this.status = say(place);
    this.turns = new Turns(this.status);
    this.test = guess("the score", () => this.covered && this.outcome);
    Object.assign(this, { box: 0, radius: 14, covered: null, w: null, made: null, kept: null, outcome: null });
    this.point();
  }

  point() {
    const price = (x, y) => this.price(x, y);
    pointable(this.photo, "Drag to cover with gray, or move with the arrow keys and press Enter; the price is told below", {
      point: price,
      press: (x, y) => this.paint(x, y),
      release: () => this.turns.wish(() => this.askCovered(), "Asking about the covered photo …"),
    });
    pointable(this.map, "Point at a pixel to read its price, or move with the arrow keys", { point: price });
  }

  price(x, y) {
    if (!this.made) return;
    const i = y * PHOTO_SIDE + x;
    const [M, w] = [this.made.map[i], [0, 1, 2].map((c) => signed(this.made.signal[i + c * AREA], 3))];
    this.facts.textContent = `Pixel (${x}, ${y}): (red ${w[0]}, green ${w[1]}, blue ${w[2]}), M = ${M.toFixed(3)}, `
      + (this.ask.rule === "backprop" ? `price 1/M = ${M > 0 ? (1 / M).toFixed(1) : "beyond all price"}.`
        : "which is no derivative, so it has no price.");
  }

  paint(x, y) {
    this.covered ??= this.ask.image.slice();
    this.outcome = null;
    for (const i of disk(PHOTO_SIDE, x, y, this.radius)) for (let c = 0; c < 3; c++) this.covered[i + c * AREA] = 0.5;
    drawImage(this.photo, this.covered);
  }

  async askCovered() {
    const { ask, covered } = this;
    if (!covered) return;
    this.w ??= ask.rule === "backprop" ? this.made.signal : await ask.gradient();
    const scores = await ask.scoresOf(covered);
    if (covered !== this.covered) return;
    this.outcome = {
      before: ask.value(ask.scores),
      forecast: forecast(this.w, ask.image, covered),
      after: ask.value(scores),
    };
    this.test.changed();
  }

  uncover() {
    Object.assign(this, { covered: null, outcome: null });
    if (this.ask.image) this.draw();
    this.test.changed();
  }

  draw() {
    const { ask, photo, map, made } = this;
    drawImage(photo, this.covered ?? ask.image);
    if (!made) return;
    drawMap(map, made.map, ask.colors);
    const found = this.box ? thresholdBox(made.map, this.box) : null;
    if (found) for (const target of [photo, map]) drawBox(target, found.box);
    map.legend.textContent = `${ask.title}, ${RULE_NAMES[ask.rule]}`;
    map.describe(`The map of ${ask.title} by the rule ${RULE_NAMES[ask.rule]}`);
    photo.legend.textContent = this.covered ? "the photo, covered in part" : "the photo: drag to cover a part";
    photo.describe(`The photo ${ask.photo}`);
  }

  /* The map anew, and all that follows from what is asked. */
  async refresh() {
    const { ask } = this;
    const made = await ask.map();
    Object.assign(this, { made, w: null, covered: null, outcome: null });
    const chances = softmax(ask.scores);
    this.chart.show(ask.top.map((i) => ({
      name: ask.names[i], value: ask.scores[i],
      text: `${ask.scores[i].toFixed(1)} (${Math.round(100 * chances[i])} %)`,
    })));
    this.controls.show();
    this.draw();
    this.test.changed();
    this.remember();
  }

  /* Ask with these changes. */
  change(changes) {
    return this.turns.wish(() => {
      Object.assign(this.ask, changes);
      return this.refresh();
    });
  }

  async take(file) {
    if (!file) return;
    await this.turns.wish(async () => {
      await this.ask.show(await fromFile(file), file.name || "pasted picture");
      this.ask.less = -1;
      await this.refresh();
    }, "Reading the photo …");
  }

  sample(name) {
    return this.turns.wish(async () => {
      this.ask.less = -1;
      this.drop();
      await this.ask.sample(name);
      await this.refresh();
    });
  }

  setBox(share) {
    this.box = share;
    this.draw();
    this.remember();
  }

  /* The address of the page says what is asked, where the photo is one that every reader has. */
  remember() {
    const sample = this.ask.photos.some(({ name }) => name === this.ask.photo);
    const said = sample ? address(this.ask, { box: this.box, beside: this.kept }) : location.pathname + location.search;
    history.replaceState(null, "", said);
    this.controls.linkable(sample);
  }

  /* Bring about a setup from an address. */
  bring(text) {
    const { ask } = this;
    return this.turns.wish(async () => {
      const { photo, target, less, rule, box, beside } = fromAddress(text, ask);
      if (!beside) this.drop();
      await ask.sample(photo, beside ? beside.target : target);
      if (beside) {
        Object.assign(ask, { rule: beside.rule, less: -1 });
        await this.refresh();
        this.keep();
        ask.target = target >= 0 ? target : ask.top[0];
      }
      Object.assign(ask, { rule, less });
      this.box = box;
      await this.refresh();
    });
  }

  keep() {
    const { ask, map, beside } = this;
    beside.context.drawImage(map.canvas, 0, 0);
    beside.legend.textContent = `kept: ${map.legend.textContent}`;
    beside.describe(`Kept beside: the map of ${ask.title} by the rule ${RULE_NAMES[ask.rule]}`);
    beside.figure.hidden = false;
    this.kept = ask.less < 0 ? { target: ask.target, rule: ask.rule } : null;
  }

  drop() {
    this.beside.figure.hidden = true;
    this.kept = null;
  }

  save() {
    const shown = [this.photo, this.map, this.beside].filter(({ figure }) => !figure.hidden);
    saveSheet(shown, `map-${this.ask.title}`);
  }
}
