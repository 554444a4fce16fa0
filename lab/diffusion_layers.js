/* What the layers of the model that draws compute. Features are channel by channel, row by row, in a Float32Array; a
   weight is (outputs, inputs, kernel, kernel) or (outputs, inputs), as PyTorch has it. */

/* A weight (outputs, inputs) times a matrix (inputs, count), plus a bias. The matrix lies in tiles of four columns, one
   after the other, row by row: eight sums stay in registers while two rows of the weight pass along one tile. */
function product({ weight, bias }, tiles, count) {
  const inputs = tiles.length / 4 / Math.ceil(count / 4);
  const outputs = weight.length / inputs;
  const result = new Float32Array(outputs * count);
  for (let n = 0; n < count; n += 4) {
    const end = (n + 4) * inputs;
    for (let o = 0; o < outputs; o += 2) {
      const next = o + 1 < outputs ? inputs : 0;
      let [a0, a1, a2, a3, b0, b1, b2, b3] = [0, 0, 0, 0, 0, 0, 0, 0];
      for (let at = n * inputs, w = o * inputs; at < end; at += 4, w++) {
        const a = weight[w];
        const b = weight[w + next];
        const v0 = tiles[at];
        const v1 = tiles[at + 1];
        const v2 = tiles[at + 2];
        const v3 = tiles[at + 3];
        a0 += a * v0;
        a1 += a * v1;
        a2 += a * v2;
        a3 += a * v3;
        b0 += b * v0;
        b1 += b * v1;
        b2 += b * v2;
        b3 += b * v3;
      }
      const [sums, more] = [[a0, a1, a2, a3], [b0, b1, b2, b3]];
      for (let i = 0; i < 4 && n + i < count; i++) {
        result[o * count + n + i] = sums[i] + (bias ? bias[o] : 0);
        if (next) result[(o + 1) * count + n + i] = more[i] + (bias ? bias[o + 1] : 0);
      }
    }
  }
  return result;
}

/* A linear layer at each of `count` places: (inputs, count) to (outputs, count). */
export function linearAt(layer, values, count) {
  const inputs = values.length / count;
  const tiles = new Float64Array(4 * Math.ceil(count / 4) * inputs);
  for (let i = 0; i < inputs; i++) {
    for (let n = 0; n < count; n++) tiles[((n & ~3) * inputs) + 4 * i + (n & 3)] = values[i * count + n];
  }
  return product(layer, tiles, count);
}

/* A convolution 3 by 3 with one pixel of zeros about it: a linear layer at each place, of the nine pixels there. */
export function convolve3(layer, { values, channels, height, width }, stride = 1) {
  const [rows, columns] = [height / stride, width / stride];
  const tiles = new Float64Array(9 * channels * rows * columns);
  for (let c = 0; c < channels; c++) {
    for (let k = 0; k < 9; k++) {
      const [down, right] = [Math.floor(k / 3) - 1, (k % 3) - 1];
      for (let y = 0; y < rows; y++) {
        const row = y * stride + down;
        if (row < 0 || row >= height) continue;
        for (let x = 0; x < columns; x++) {
          const column = x * stride + right;
          if (column < 0 || column >= width) continue;
          const n = y * columns + x;
          tiles[(n & ~3) * 9 * channels + 4 * (9 * c + k) + (n & 3)] = values[(c * height + row) * width + column];
        }
      }
    }
  }
  const result = product(layer, tiles, rows * columns);
  return { values: result, channels: result.length / rows / columns, height: rows, width: columns };
}

/* Group normalization in eight groups. */
export function groupNorm({ weight, bias }, { values, channels, height, width }, groups = 8) {
  const [size, pixels] = [values.length / groups, height * width];
  const result = new Float32Array(values.length);
  for (let start = 0; start < values.length; start += size) {
    let [sum, squares] = [0, 0];
    for (let i = start; i < start + size; i++) sum += values[i];
    const mean = sum / size;
    for (let i = start; i < start + size; i++) squares += (values[i] - mean) ** 2;
    const scale = 1 / Math.sqrt(squares / size + 1e-5);
    for (let i = start; i < start + size; i++) {
      const c = Math.floor(i / pixels);
      result[i] = (values[i] - mean) * scale * weight[c] + bias[c];
    }
  }
  return { values: result, channels, height, width };
}

export function silu(values) {
  return values.map((value) => value / (1 + Math.exp(-value)));
}

/* softmax(Q K^T / sqrt(d)) V in two heads: queries (C, places), keys and values (2 C, words) to (C, places). */
export function attend(queries, answers, places, words, heads = 2) {
  const width = queries.length / places;
  const depth = width / heads;
  const taken = new Float32Array(queries.length);
  const shares = new Float64Array(words);
  for (let head = 0; head < heads; head++) {
    const first = head * depth;
    for (let place = 0; place < places; place++) {
      shares.fill(0);
      for (let c = first; c < first + depth; c++) {
        const asked = queries[c * places + place] / Math.sqrt(depth);
        for (let t = 0; t < words; t++) shares[t] += asked * answers[c * words + t];
      }
      const most = Math.max(...shares);
      let total = 0;
      for (let t = 0; t < words; t++) total += shares[t] = Math.exp(shares[t] - most);
      for (let c = first; c < first + depth; c++) {
        let sum = 0;
        for (let t = 0; t < words; t++) sum += shares[t] * answers[(width + c) * words + t];
        taken[c * places + place] = sum / total;
      }
    }
  }
  return taken;
}
