/* What the network said, and what it is to be asked next for a state to be shown. One pass is on its way at most. */

import { cotangent } from "./creature_network.js";
import { load } from "./data.js";
import { RULES_BY_GATE } from "./engine.js";
import { Kept } from "./kept.js";
import { forecast, saliency } from "./maps.js";
import { unpack } from "./packing.js";
import { exactly } from "./photos.js";
import { question } from "./photo_state.js";
import { covered, strokesText } from "./strokes.js";
import { activation, METHODS } from "./ways.js";

const imageKey = ({ photo, strokes }) => `${photo}|${strokesText(strokes)}`;
const cleanKey = ({ photo }) => imageKey({ photo, strokes: [] });

export class Answers {
  /* `state()` is what is to be shown now, `arrived()` is called after each pass. */
  constructor(manifest, network, { state, arrived }) {
    Object.assign(this, { manifest, network, state, arrived });
    Object.assign(this, { photos: new Map(), forward: new Kept(8), maps: new Kept(24), growing: null });
    this.covered = { key: "", image: null };
    this.busy = null;
    this.last = null;
  }

  /* The answer that came with the page. */
  async begin({ photo, pixels, scores, most, maps }) {
    const whole = new Int8Array((await unpack(maps)).buffer);
    const cams = Float32Array.from(whole, (value, i) => (value / 127) * most[Math.floor(i / 49)]);
    this.photos.set(photo, await exactly(pixels));
    this.forward.set(cleanKey({ photo }), { scores: Float32Array.from(scores), cams });
    this.last = { photo, strokes: [] };
  }

  /* The photo with its strokes, or null while it is not here. */
  image(state) {
    const photo = this.photos.get(state.photo);
    if (!photo || !state.strokes.length) return photo ?? null;
    const key = imageKey(state);
    if (this.covered.key !== key) this.covered = { key, image: covered(photo, state.strokes) };
    return this.covered.image;
  }

  now(state) {
    return this.forward.get(imageKey(state)) ?? null;
  }

  clean(state) {
    return this.forward.get(cleanKey(state)) ?? null;
  }

  /* The state as it was answered: while the network looks at the last stroke, that before it. */
  at(state) {
    const last = this.last;
    if (this.now(state) || last?.photo !== state.photo || !this.now(last)) return state;
    return { ...state, strokes: last.strokes };
  }

  mapKey(state, asked) {
    return `${imageKey(state)}|${asked.target},${asked.less},${asked.method}`;
  }

  /* The map of a question, {map, done, signal}, as far as it has come; null if nothing has. */
  map(state, asked) {
    const key = this.mapKey(state, asked);
    const now = this.now(state);
    if (!this.maps.has(key) && asked.method === "cam" && now && asked.target >= 0) {
      this.maps.set(key, { map: activation(now.cams, asked, this.manifest.shift), done: 0 });
    }
    return this.maps.get(key) ?? null;
  }

  whole(state, asked) {
    return this.map(state, asked)?.done === METHODS[asked.method].passes;
  }

  /* The question on the screen: that of the class under the pointer, where its map is quick to have. */
  shown(state) {
    const asked = question(state);
    const quick = state.peek >= 0 && METHODS[asked.method].passes <= 1;
    return quick ? { ...asked, target: state.peek, less: state.peek === asked.less ? -1 : asked.less } : asked;
  }

  /* What covering did to the score: before, as the gradient forecast it, after; null while it is not known. */
  outcome(state) {
    const uncovered = { ...state, strokes: [] };
    const w = this.maps.get(this.mapKey(uncovered, slope(state)))?.signal;
    const [now, clean] = [this.now(state), this.clean(state)];
    if (!w || !now || !clean || !state.strokes.length) return null;
    return {
      before: value(clean.scores, state),
      forecast: forecast(w, this.image(uncovered), this.image(state)),
      after: value(now.scores, state),
    };
  }

  /* Ask what is missing, pass after pass, until nothing is. */
  work() {
    this.busy ??= this.passes().finally(() => (this.busy = null));
    return this.busy;
  }

  async passes() {
    for (let task; (task = this.next(this.state())); ) {
      await task();
      this.arrived();
    }
  }

  /* The next thing to be done, or null. */
  next(state) {
    if (!this.photos.has(state.photo)) return () => this.bring(state.photo);
    const tasks = this.missing(state);
    if (!tasks.length) return null;
    if (this.network.stage === "ready") return tasks[0];
    this.network.wish();
    return null;
  }

  missing(state) {
    const tasks = [];
    const uncovered = { ...state, strokes: [] };
    const quick = state.target >= 0 && METHODS[state.method].passes === 1;
    if (!this.now(state) && !quick) tasks.push(() => this.look(state));
    if (!this.clean(state)) tasks.push(() => this.look(uncovered));
    for (const asked of [this.shown(state), state.beside]) {
      if (asked && asked.target >= 0 && !this.whole(state, asked) && this.mayGrow(state, asked)) {
        tasks.push(() => this.grow(state, asked));
      }
    }
    if (!this.now(state) && quick) tasks.push(() => this.look(state));
    const wanted = state.guess && state.strokes.length && !state.painting;
    if (wanted && !this.maps.has(this.mapKey(uncovered, slope(state)))) tasks.push(() => this.grow(uncovered, slope(state)));
    return tasks;
  }

  /* What takes long waits for the brush, and does not go on when it was stopped. */
  mayGrow(state, asked) {
    return METHODS[asked.method].passes <= 1 || !(state.painting || state.stopped === this.mapKey(state, asked));
  }

  async bring(name) {
    this.photos.set(name, await exactly(await load(`photo-${name}`)));
  }

  look(state) {
    return this.run(state, {});
  }

  /* One pass; what it says of the image is kept on the way. */
  async run(state, asked) {
    const answer = await this.network.engine.ask({ kind: "answer", image: this.image(state), ...asked });
    this.forward.set(imageKey(state), { scores: answer.scores, cams: answer.cams });
    this.last = { photo: state.photo, strokes: state.strokes };
    return answer.gradient;
  }

  /* One pass more of a map. */
  async grow(state, asked) {
    const key = this.mapKey(state, asked);
    const way = METHODS[asked.method];
    const wanted = cotangent(this.manifest.names.length, asked.target, asked.less);
    if (way.passes === 1) {
      const signal = await this.run(state, { cotangent: wanted, gates: RULES_BY_GATE[way.rule] });
      this.maps.set(key, { map: saliency(signal), signal, done: 1 });
      return;
    }
    if (this.growing?.key !== key) this.growing = { key, done: 0, step: way.grow(this.tools(state, asked, wanted)) };
    const { growing } = this;
    const map = await growing.step(growing.done);
    growing.done += 1;
    this.maps.set(key, { map, done: growing.done });
    if (growing.done === way.passes) this.growing = null; // should the map be thrown away, it grows anew
  }

  /* What a growing map may ask for. */
  tools(state, asked, wanted) {
    const ask = (message) => this.network.engine.ask({ kind: "answer", ...message });
    const image = this.image(state);
    return {
      image,
      gradient: async (other) => (await ask({ image: other, cotangent: wanted, gates: RULES_BY_GATE.backprop })).gradient,
      value: async (other) => value(other === image ? this.now(state).scores : (await ask({ image: other })).scores, asked),
    };
  }
}

/* The number asked for: a score, or the difference of two. */
export function value(scores, { target, less }) {
  return scores[target] - (less >= 0 ? scores[less] : 0);
}

const slope = ({ target, less }) => ({ target, less, method: "gradient" });
