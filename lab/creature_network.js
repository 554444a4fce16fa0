/* The book's small networks (saliency_lib/models/networks/): forward, and back under a rule of the ReLU. */

import { Convolution, GlobalMax, Linear, MaxPool, ReLU } from "./layers.js";
import { halves, unpack } from "./packing.js";

export const SIDE = 64;
export const PIXELS = SIDE * SIDE;

/* A network from what the exporter wrote: half-precision numbers, layer by layer, weights before biases. */
export async function creatureNetwork(data) {
  const numbers = halves(await unpack(data.weights));
  return new CreatureNetwork(parts(numbers, data.shapes), data.mean, data.std);
}

/* Weights and biases of each layer, one after the other. */
export function parts(numbers, shapes) {
  let at = 0;
  const take = (count) => numbers.subarray(at, (at += count));
  return shapes.map(([weight, bias]) => ({ weight: take(weight), bias: take(bias) }));
}

/* Layers one after the other, on normalized images. */
class Network {
  constructor(layers, mean, std) {
    Object.assign(this, { layers, mean, std });
  }

  /* The scores of an image (3, 64, 64) with values in [0, 1], and what the way back has to know. */
  run(image) {
    let x = image.map((value, i) => {
      const c = Math.floor(i / PIXELS);
      return (value - this.mean[c]) / this.std[c];
    });
    const memory = [];
    for (const layer of this.layers) {
      const [y, kept] = layer.forward(x);
      memory.push(kept);
      x = y;
    }
    return { scores: x, memory };
  }

  scores(image) {
    return this.run(image).scores;
  }

  /* w = dS / dI of the sum of all scores, each times its entry in `cotangent`; by another rule it is no derivative.
     `watch(layer, g)` sees what leaves each layer. */
  gradient({ memory }, cotangent, rule = "backprop", watch = null) {
    let g = cotangent;
    for (let i = this.layers.length - 1; i >= 0; i--) {
      g = this.layers[i].backward(g, memory[i], rule);
      watch?.(this.layers[i], g);
    }
    return g.map((value, i) => value / this.std[Math.floor(i / PIXELS)]);
  }
}

export class CreatureNetwork extends Network {
  constructor(parameters, mean, std) {
    const [first, second, third, hidden, last] = parameters;
    super([
      new Convolution({ ...first, inputs: 3, outputs: 24, kernel: 8, stride: 2, padding: 3, side: 64 }),
      new ReLU(),
      new MaxPool({ channels: 24, side: 32 }),
      new Convolution({ ...second, inputs: 24, outputs: 48, kernel: 5, stride: 1, padding: 2, side: 16 }),
      new ReLU(),
      new MaxPool({ channels: 48, side: 16 }),
      new Convolution({ ...third, inputs: 48, outputs: 48, kernel: 3, stride: 1, padding: 1, side: 8 }),
      new ReLU(),
      new Linear({ ...hidden, inputs: 48 * 8 * 8, outputs: 128 }),
      new ReLU(),
      new Linear({ ...last, inputs: 128, outputs: 10 }),
    ], mean, std);
    this.parameters = parameters;
  }

  /* The same network with the weights of some of its five weighted layers shuffled; biases stay. */
  shuffled(chosen, random = Math.random) {
    const parameters = this.parameters.map(({ weight, bias }, i) => ({
      weight: chosen.includes(i) ? shuffle(weight, random) : weight,
      bias,
    }));
    return new CreatureNetwork(parameters, this.mean, this.std);
  }
}

/* The networks of chapter 11, which see a small creature beside a large thing. */
export class CompanionNetwork extends Network {
  static SHAPES = [[12 * 3 * 36, 12], [24 * 12 * 9, 24], [48 * 24 * 9, 48], [480, 10]];

  constructor([first, second, third, last], mean, std) {
    super([
      new Convolution({ ...first, inputs: 3, outputs: 12, kernel: 6, stride: 2, padding: 2, side: 64 }),
      new ReLU(),
      new MaxPool({ channels: 12, side: 32 }),
      new Convolution({ ...second, inputs: 12, outputs: 24, kernel: 3, stride: 1, padding: 1, side: 16 }),
      new ReLU(),
      new MaxPool({ channels: 24, side: 16 }),
      new Convolution({ ...third, inputs: 24, outputs: 48, kernel: 3, stride: 1, padding: 1, side: 8 }),
      new ReLU(),
      new GlobalMax({ channels: 48, side: 8 }),
      new Linear({ ...last, inputs: 48, outputs: 10 }),
    ], mean, std);
  }
}

/* Which score is asked for, as a cotangent: 1 at the class, and -1 at another one if the difference is asked for. */
export function cotangent(count, index, other = -1) {
  const g = new Float32Array(count);
  g[index] += 1;
  if (other >= 0) g[other] -= 1;
  return g;
}

function shuffle(values, random) {
  const result = values.slice();
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j], result[i]];
  }
  return result;
}
