/* Deletion: gray the pixels in the order of a map, and see what the probability does (comparison/metrics/deletion.py). */

import { PIXELS } from "./creature_network.js";
import { softmax } from "./maps.js";

const TAKEN = 0.5;

/* The pixels from the largest value to the smallest; of equal ones the first in `ties`. */
export function ordered(map, ties) {
  return Uint16Array.from(ties).sort((i, j) => map[j] - map[i]);
}

/* The image (3, side, side) whose first pixels in this order are gray. */
export function grayed(image, order, count) {
  const result = image.slice();
  for (let k = 0; k < count; k++) for (let c = 0; c < 3; c++) result[order[k] + c * PIXELS] = TAKEN;
  return result;
}

/* The probability of a class after `step` of `steps` steps. */
export function probability(network, image, order, target, step, steps) {
  return softmax(network.scores(grayed(image, order, Math.round((step / steps) * order.length))))[target];
}

/* The mean height of a curve, by trapezoids. */
export function area(curve) {
  let sum = 0;
  for (let k = 1; k < curve.length; k++) sum += (curve[k - 1] + curve[k]) / 2;
  return sum / (curve.length - 1);
}
