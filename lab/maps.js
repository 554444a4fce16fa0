/* What is computed of a gradient: maps, forecasts, boxes. Tensors are channel by channel, row by row. */

/* M_ij = max_k |w_ijk|, section 3.1 of the paper. */
export function saliency(w) {
  const pixels = w.length / 3;
  return Float32Array.from({ length: pixels }, (_, i) =>
    Math.max(Math.abs(w[i]), Math.abs(w[i + pixels]), Math.abs(w[i + 2 * pixels])));
}

/* What the linear model says of the change of the score from one image to another: w · (after - before). */
export function forecast(w, before, after) {
  let sum = 0;
  for (let i = 0; i < w.length; i++) sum += w[i] * (after[i] - before[i]);
  return sum;
}

/* The value that this share of the map does not exceed, between two of them by a straight line. */
export function quantile(map, share) {
  const sorted = Float32Array.from(map).sort();
  const place = share * (sorted.length - 1);
  const low = Math.floor(place);
  return sorted[low] + (place - low) * (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]);
}

/* Spearman's rank correlation of two maps; equals share the mean of their ranks. */
export function rankCorrelation(a, b) {
  const [x, y] = [ranks(a), ranks(b)];
  const mean = (a.length - 1) / 2;
  let [xy, xx, yy] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) ** 2;
    yy += (y[i] - mean) ** 2;
  }
  return xy / Math.sqrt(xx * yy);
}

function ranks(values) {
  const order = Uint32Array.from(values, (_, i) => i).sort((i, j) => values[i] - values[j]);
  const result = new Float64Array(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start;
    while (end + 1 < order.length && values[order[end + 1]] === values[order[start]]) end++;
    for (let i = start; i <= end; i++) result[order[i]] = (start + end) / 2;
    start = end + 1;
  }
  return result;
}

/* The box [x0, y0, x1, y1] around the largest connected piece of a square map above a share of its maximum, and the
   piece itself; null if the map is nowhere positive. As `sl.threshold_box` does it. */
export function thresholdBox(map, share) {
  const side = Math.sqrt(map.length);
  const least = share * map.reduce((a, b) => Math.max(a, b), 0);
  const marked = map.map((value) => (value >= least && value > 0 ? 1 : 0));
  const piece = new Int32Array(map.length);
  let [best, bestSize, number] = [0, 0, 0];
  for (let start = 0; start < map.length; start++) {
    if (!marked[start] || piece[start]) continue;
    number++;
    const size = flood(marked, piece, start, number, side);
    if (size > bestSize) [best, bestSize] = [number, size];
  }
  if (!best) return null;
  const box = [side, side, 0, 0];
  piece.forEach((value, i) => {
    if (value !== best) return;
    const [x, y] = [i % side, Math.floor(i / side)];
    box[0] = Math.min(box[0], x);
    box[1] = Math.min(box[1], y);
    box[2] = Math.max(box[2], x + 1);
    box[3] = Math.max(box[3], y + 1);
  });
  return { box, mask: piece.map((value) => Number(value === best)) };
}

/* Number all that is connected with a pixel by sides; how many pixels that is. */
function flood(marked, piece, start, number, side) {
  const waiting = [start];
  piece[start] = number;
  for (let at = 0; at < waiting.length; at++) {
    const i = waiting[at];
    const x = i % side;
    for (const j of [x > 0 ? i - 1 : -1, x < side - 1 ? i + 1 : -1, i - side, i + side]) {
      if (j < 0 || j >= marked.length || !marked[j] || piece[j]) continue;
      piece[j] = number;
      waiting.push(j);
    }
  }
  return waiting.length;
}

/* The overlap of two boxes, intersection over union. */
export function iou(a, b) {
  const width = Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0]));
  const height = Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  return (width * height) / (area(a) + area(b) - width * height);
}

/* The indices of the k largest scores, best first. */
export function best(scores, k) {
  return [...scores.keys()].sort((i, j) => scores[j] - scores[i]).slice(0, k);
}

export function softmax(scores) {
  const top = scores.reduce((a, b) => Math.max(a, b));
  const powers = Array.from(scores, (score) => Math.exp(score - top));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}
