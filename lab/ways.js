/* The ways to ask where: each makes a map of a photo, for a class or the difference of two, in one pass or in many.

   A map that takes many passes grows: `grow` is asked for pass after pass, and what it returns so far is a map already. */

import { saliency } from "./maps.js";
import { PHOTO_AREA, PHOTO_SIDE } from "./photos.js";

const ROUNDS = 16;
const NOISE = 0.15;
const PATCH = 32;
const CELLS = 7;

/* `title` is what a reader calls it, `passes` how often the network runs, `coarse` that the map has cells and not pixels. */
export const METHODS = {
  cam: { title: "Grad-CAM", passes: 0, coarse: true, about: "one pass forward is enough for all 1000 names" },
  gradient: { title: "gradient", passes: 1, rule: "backprop", about: "one pass back" },
  guided: { title: "guided", passes: 1, rule: "guided", about: "one pass back, positive signals only" },
  deconvnet: { title: "DeconvNet", passes: 1, rule: "deconvnet", about: "one pass back, by the DeconvNet's rule" },
  smoothgrad: { title: "SmoothGrad", passes: ROUNDS, grow: smoothed, about: "16 passes with noise on the photo" },
  integrated: { title: "integrated gradients", passes: ROUNDS, grow: integrated, about: "16 passes on the way from black" },
  occlusion: { title: "occlusion", passes: CELLS ** 2, grow: occluded, coarse: true, about: "49 squares covered in turn" },
};

/* The class activation map of a question, max(0, .), painted as large as the photo. A cell is taken to lie where it
   sees best, `shift` of its width right of and below the middle of its share. */
export function activation(cams, { target, less }, shift) {
  const cells = Float32Array.from({ length: CELLS ** 2 }, (_, i) =>
    Math.max(0, cams[target * CELLS ** 2 + i] - (less >= 0 ? cams[less * CELLS ** 2 + i] : 0)));
  const at = Array.from({ length: PHOTO_SIDE }, (_, i) => {
    const place = Math.max(0, Math.min(CELLS - 1, ((i + 0.5) * CELLS) / PHOTO_SIDE - 0.5 - shift));
    const low = Math.min(CELLS - 2, Math.floor(place));
    return [low, place - low];
  });
  const map = new Float32Array(PHOTO_AREA);
  at.forEach(([row, down], y) => at.forEach(([column, right], x) => {
    const i = row * CELLS + column;
    const above = cells[i] * (1 - right) + cells[i + 1] * right;
    const below = cells[i + CELLS] * (1 - right) + cells[i + CELLS + 1] * right;
    map[y * PHOTO_SIDE + x] = above * (1 - down) + below * down;
  }));
  return map;
}

/* SmoothGrad: the mean gradient over noisy copies; the noise is the same each time. */
function smoothed({ image, gradient }) {
  const random = normal(1);
  const [low, high] = image.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
  const sum = new Float32Array(3 * PHOTO_AREA);
  return async () => {
    const g = await gradient(image.map((value) => value + NOISE * (high - low) * random()));
    for (let i = 0; i < sum.length; i++) sum[i] += g[i] / ROUNDS;
    return saliency(sum);
  };
}

/* Integrated gradients: the photo times the mean gradient on the way to it from black, in small steps near black. */
function integrated({ image, gradient }) {
  const sum = new Float32Array(3 * PHOTO_AREA);
  const edge = (k) => (k / ROUNDS) ** 3;
  return async (k) => {
    const g = await gradient(image.map((value) => (value * (edge(k) + edge(k + 1))) / 2));
    for (let i = 0; i < sum.length; i++) sum[i] += (edge(k + 1) - edge(k)) * image[i] * g[i];
    return saliency(sum);
  };
}

/* Occlusion: by how much the score falls when a square is gray; from the middle outward. Where it rises, nothing is seen. */
function occluded({ image, value }) {
  const map = new Float32Array(PHOTO_AREA);
  const middle = (CELLS - 1) / 2;
  const far = (k) => Math.hypot(Math.floor(k / CELLS) - middle, (k % CELLS) - middle);
  const order = [...Array(CELLS ** 2).keys()].sort((a, b) => far(a) - far(b));
  return async (k) => {
    const [top, left] = [PATCH * Math.floor(order[k] / CELLS), PATCH * (order[k] % CELLS)];
    const changed = image.slice();
    square(top, left, (i) => [0, PHOTO_AREA, 2 * PHOTO_AREA].forEach((channel) => (changed[channel + i] = 0.5)));
    const fall = (await value(image)) - (await value(changed));
    square(top, left, (i) => (map[i] = Math.max(0, fall)));
    return map.slice();
  };
}

function square(top, left, each) {
  for (let y = top; y < top + PATCH; y++) for (let x = left; x < left + PATCH; x++) each(y * PHOTO_SIDE + x);
}

/* Normal numbers, the same for the same seed: mulberry32, and of two of its numbers one by Box and Muller. */
export function normal(seed) {
  let state = seed;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
