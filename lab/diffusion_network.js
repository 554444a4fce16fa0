/* The model that draws (saliency_lib/diffusion/): a noisy picture, a time and words to a velocity, and the walk out of
   noise. Pixels run from -1 to 1 here. */

import { attend, convolve3, groupNorm, linearAt, silu } from "./diffusion_layers.js";
import { load } from "./data.js";
import { halves, unpack } from "./packing.js";

export const DRAWN = 32;
const [WAVES, WORD] = [64, 64];

let coming = null;

/* The network, fetched once and when it is asked for. */
export function theDenoiser() {
  coming ??= load("diffusion").then(async (data) => new Denoiser(data, halves(await unpack(data.weights))));
  coming.catch(() => (coming = null));
  return coming;
}

class Denoiser {
  constructor({ shapes, vocabulary, length }, numbers) {
    Object.assign(this, { vocabulary, length, weights: new Map() });
    let at = 0;
    for (const [name, size] of shapes) this.weights.set(name, Float64Array.from(numbers.subarray(at, (at += size))));
  }

  layer(name) {
    return { weight: this.weights.get(`${name}.weight`), bias: this.weights.get(`${name}.bias`) };
  }

  /* The words of a text as vectors (64, words). */
  said(text) {
    const words = text ? text.split(" ") : [];
    const table = this.weights.get("words.weight");
    const vectors = new Float32Array(WORD * this.length);
    for (let t = 0; t < this.length; t++) {
      const row = this.vocabulary.indexOf(words[t] ?? "") * WORD;
      for (let i = 0; i < WORD; i++) vectors[i * this.length + t] = table[row + i];
    }
    return vectors;
  }

  /* A time as waves, and what two layers make of them. */
  clock(t) {
    const waves = new Float32Array(WAVES);
    for (let i = 0; i < WAVES / 2; i++) {
      const angle = Math.PI * t * Math.exp((Math.log(200) * i) / (WAVES / 2 - 1));
      waves[i] = Math.sin(angle);
      waves[WAVES / 2 + i] = Math.cos(angle);
    }
    const hidden = silu(linearAt(this.layer("time.0"), waves, 1));
    return silu(linearAt(this.layer("time.2"), hidden, 1));
  }

  /* Two convolutions, with the time between them, added to what came in. */
  block(name, x, time) {
    const { channels } = x;
    const moved = linearAt(this.layer(`${name}.time`), time, 1);
    const entered = groupNorm(this.layer(`${name}.first.0`), x);
    const first = convolve3(this.layer(`${name}.first.2`), { ...entered, values: silu(entered.values) });
    const inner = groupNorm(this.layer(`${name}.norm`), first);
    const pixels = x.height * x.width;
    const values = silu(inner.values.map((value, i) => {
      const c = Math.floor(i / pixels);
      return value * (1 + moved[c]) + moved[channels + c];
    }));
    return added(x, convolve3(this.layer(`${name}.second`), { ...inner, values }).values);
  }

  /* Places look at the words, or at each other. */
  look(name, x, words = null) {
    const count = x.height * x.width;
    const places = groupNorm(this.layer(`${name}.norm`), x).values;
    const seen = words ? this.length : count;
    const queries = linearAt(this.layer(`${name}.ask`), places, count);
    const answers = linearAt(this.layer(`${name}.answer`), words ?? places, seen);
    return added(x, linearAt(this.layer(`${name}.out`), attend(queries, answers, count, seen), count));
  }

  /* The velocities of one noisy picture for several texts. Until the first look at the words the way is one. */
  velocities(x, t, texts) {
    const time = this.clock(t);
    const picture = { values: x, channels: 3, height: DRAWN, width: x.length / 3 / DRAWN };
    const high = this.block("down.0", convolve3(this.layer("enter"), picture), time);
    const middle = this.block("down.1", convolve3(this.layer("shrink.0"), high, 2), time);
    return texts.map((text) => {
      const words = this.said(text);
      const beside = this.look("down_look.0", middle, words);
      let y = this.block("down.2", convolve3(this.layer("shrink.1"), beside, 2), time);
      y = this.look("down_look.1", y, words);
      y = added(this.look("around", y), y.values);
      y = this.look("up_look.0", this.block("up.0", y, time), words);
      y = this.block("up.1", added(this.grown("grow.0", y), beside.values), time);
      y = this.look("up_look.1", y, words);
      y = this.block("up.2", added(this.grown("grow.1", y), high.values), time);
      y = groupNorm(this.layer("leave.0"), y);
      return convolve3(this.layer("leave.2"), { ...y, values: silu(y.values) }).values;
    });
  }

  /* Fewer channels, and every place as a square of four. */
  grown(name, { values, height, width }) {
    const fewer = linearAt(this.layer(name), values, height * width);
    const channels = fewer.length / height / width;
    const large = new Float32Array(4 * fewer.length);
    for (let row = 0; row < 2 * height * channels; row++) {
      for (let x = 0; x < 2 * width; x++) large[row * 2 * width + x] = fewer[(row >> 1) * width + (x >> 1)];
    }
    return { values: large, channels, height: 2 * height, width: 2 * width };
  }

  /* What the model says of a noisy picture: the clean one and the noise; `guidance` as in the package. */
  predict(x, t, text, guidance) {
    const texts = guidance === 0 ? [""] : guidance === 1 ? [text] : ["", text];
    const [first, second = first] = this.velocities(x, t, texts);
    const v = first.map((value, i) => value + guidance * (second[i] - value));
    const [alpha, sigma] = [Math.cos((Math.PI * t) / 2), Math.sin((Math.PI * t) / 2)];
    return { clean: x.map((value, i) => alpha * value - sigma * v[i]), eps: x.map((value, i) => sigma * value + alpha * v[i]) };
  }

  /* The picture at the time s, of what the model says of it (DDIM). */
  step({ clean, eps }, s) {
    const [alpha, sigma] = [Math.cos((Math.PI * s) / 2), Math.sin((Math.PI * s) / 2)];
    return clean.map((value, i) => alpha * value + sigma * eps[i]);
  }
}

function added(x, values) {
  return { ...x, values: x.values.map((value, i) => value + values[i]) };
}

/* Numbers from N(0, 1), the same for the same seed: mulberry32, then Box and Muller. */
export function gaussians(count, seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (((mixed ^ (mixed >>> 14)) >>> 0) + 0.5) / 2 ** 32;
  };
  return Float32Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
}
