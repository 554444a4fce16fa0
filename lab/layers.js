/* The layers of a small ConvNet, each with its forward step and the way back of a signal.

   A tensor is a Float32Array: channel by channel, row by row. A layer changes nothing of its own when it runs: what the
   way back needs to know is returned beside the result. */

/* What a ReLU hands down of a signal g from above, when its input was z. */
export const RULES = {
  backprop: (g, z) => (z > 0 ? g : 0),
  deconvnet: (g) => (g > 0 ? g : 0),
  guided: (g, z) => (g > 0 && z > 0 ? g : 0),
};

/* All rules between: of a signal whose input was not positive the share `gate` passes, and of one that is negative then
   the share `slope`. The gradient is (0, 1), the DeconvNet (1, 0), guided backpropagation (0, 0); (1, 1) stops nothing. */
const mixed = ({ gate, slope }) => (g, z) => {
  const gated = z > 0 ? g : gate * g;
  return gated > 0 ? gated : slope * gated;
};

export const RULE_NAMES = { backprop: "gradient", deconvnet: "DeconvNet", guided: "guided" };

/* Square images of `side` pixels; `weight` is (outputs, inputs, kernel, kernel). */
export class Convolution {
  constructor({ weight, bias, inputs, outputs, kernel, stride, padding, side }) {
    Object.assign(this, { weight, bias, inputs, outputs, kernel, stride, padding, side });
    this.padded = side + 2 * padding;
    this.result = Math.floor((this.padded - kernel) / stride) + 1;
  }

  forward(x) {
    const { weight, kernel, stride, result } = this;
    const source = pad(x, this.inputs, this.side, this.padding);
    const y = new Float32Array(this.outputs * result ** 2);
    for (let o = 0; o < this.outputs; o++) y.fill(this.bias[o], o * result ** 2, (o + 1) * result ** 2);
    this.rows((at, input, output) => {
      for (let k = 0; k < kernel; k++) {
        const factor = weight[at + k];
        for (let i = 0, from = input + k; i < result; i++, from += stride) y[output + i] += factor * source[from];
      }
    });
    return [y, null];
  }

  /* Every product goes back along the way it came; where no signal comes from above, there is none. */
  backward(g) {
    const { weight, kernel, stride, result } = this;
    const target = new Float32Array(this.inputs * this.padded ** 2);
    this.rows((at, input, output) => {
      for (let i = 0, to = input; i < result; i++, to += stride) {
        const signal = g[output + i];
        if (signal !== 0) for (let k = 0; k < kernel; k++) target[to + k] += weight[at + k] * signal;
      }
    });
    return crop(target, this.inputs, this.side, this.padding);
  }

  /* For each row of a kernel and each row of results: where it begins in the weights, the padded input, the output. */
  rows(step) {
    const { inputs, outputs, kernel, stride, padded, result } = this;
    for (let o = 0; o < outputs; o++) {
      for (let c = 0; c < inputs; c++) {
        for (let ky = 0; ky < kernel; ky++) {
          const at = ((o * inputs + c) * kernel + ky) * kernel;
          for (let y = 0; y < result; y++) step(at, (c * padded + ky + y * stride) * padded, (o * result + y) * result);
        }
      }
    }
  }
}

/* Where the rules differ: everything else goes back in one way. */
export class ReLU {
  forward(z) {
    return [z.map((value) => (value > 0 ? value : 0)), z];
  }

  backward(g, z, rule) {
    const pass = RULES[rule] ?? mixed(rule);
    return g.map((value, i) => pass(value, z[i]));
  }
}

/* The largest of each two by two; the signal goes back to where it was, the first of equals. */
export class MaxPool {
  constructor({ channels, side }) {
    Object.assign(this, { channels, side });
  }

  forward(x) {
    const { channels, side } = this;
    const half = side / 2;
    const y = new Float32Array(channels * half * half);
    const from = new Int32Array(y.length);
    for (let at = 0; at < y.length; at++) {
      const row = Math.floor(at / half);
      const corner = row * 2 * side + (at % half) * 2;
      let best = corner;
      for (const i of [corner + 1, corner + side, corner + side + 1]) if (x[i] > x[best]) best = i;
      y[at] = x[best];
      from[at] = best;
    }
    return [y, from];
  }

  backward(g, from) {
    const target = new Float32Array(this.channels * this.side ** 2);
    for (let at = 0; at < g.length; at++) target[from[at]] += g[at];
    return target;
  }
}

/* The largest of each channel; the signal goes back to where it was, the first of equals. */
export class GlobalMax {
  constructor({ channels, side }) {
    Object.assign(this, { channels, pixels: side * side });
  }

  forward(x) {
    const from = Int32Array.from({ length: this.channels }, (_, c) => {
      let best = c * this.pixels;
      for (let i = best; i < (c + 1) * this.pixels; i++) if (x[i] > x[best]) best = i;
      return best;
    });
    return [Float32Array.from(from, (i) => x[i]), from];
  }

  backward(g, from) {
    const target = new Float32Array(this.channels * this.pixels);
    from.forEach((i, c) => (target[i] += g[c]));
    return target;
  }
}

/* `weight` is (outputs, inputs). */
export class Linear {
  constructor({ weight, bias, inputs, outputs }) {
    Object.assign(this, { weight, bias, inputs, outputs });
  }

  forward(x) {
    const y = new Float32Array(this.outputs);
    for (let o = 0; o < this.outputs; o++) {
      let sum = this.bias[o];
      for (let i = 0, at = o * this.inputs; i < this.inputs; i++, at++) sum += this.weight[at] * x[i];
      y[o] = sum;
    }
    return [y, null];
  }

  backward(g) {
    const target = new Float32Array(this.inputs);
    for (let o = 0; o < this.outputs; o++) {
      if (!g[o]) continue;
      for (let i = 0, at = o * this.inputs; i < this.inputs; i++, at++) target[i] += this.weight[at] * g[o];
    }
    return target;
  }
}

function pad(x, channels, side, padding) {
  const padded = side + 2 * padding;
  const y = new Float32Array(channels * padded * padded);
  for (let row = 0; row < channels * side; row++) {
    const c = Math.floor(row / side);
    const to = c * padded * padded + ((row % side) + padding) * padded + padding;
    y.set(x.subarray(row * side, (row + 1) * side), to);
  }
  return y;
}

function crop(x, channels, side, padding) {
  const padded = side + 2 * padding;
  const y = new Float32Array(channels * side * side);
  for (let row = 0; row < channels * side; row++) {
    const c = Math.floor(row / side);
    const from = c * padded * padded + ((row % side) + padding) * padded + padding;
    y.set(x.subarray(from, from + side), row * side);
  }
  return y;
}
