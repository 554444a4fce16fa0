/* The cards of the lab `suspect` (tools/lab/suspect.py), and the tree that can be moved. */

import { CompanionNetwork, cotangent, parts, PIXELS, SIDE } from "./creature_network.js";
import { load } from "./data.js";
import { decode, halves, unpack } from "./packing.js";
import { saliency } from "./maps.js";

/* Names, colors, and for each card its network, its drawing (3, 64, 64), what is behind the tree, and where things are. */
export async function theSuspects() {
  const data = await load("suspect");
  const [pixels, behind, masks] = await Promise.all([data.images, data.behind, data.masks].map(unpack));
  const networks = await Promise.all(data.weights.map(async (text) =>
    new CompanionNetwork(parts(halves(await unpack(text)), CompanionNetwork.SHAPES), data.mean, data.std)));
  const count = data.guilty.length;
  const values = (bytes, i) =>
    Float32Array.from(bytes.subarray(i * 3 * PIXELS, (i + 1) * 3 * PIXELS), (value) => value / 255);
  const cards = data.guilty.map((guilty, i) => ({
    guilty,
    network: networks[Number(guilty)],
    image: values(pixels, i),
    behind: values(behind, i),
    creature: masks.subarray(i * PIXELS, (i + 1) * PIXELS),
    tree: masks.subarray((count + i) * PIXELS, (count + i + 1) * PIXELS),
  }));
  return { ...data, cards, colors: decode(data.colors) };
}

/* The drawing with its tree elsewhere, behind the owl; at (0, 0) as it was. */
export function moved({ image, behind, creature, tree }, right, down) {
  if (!right && !down) return image;
  const result = image.slice();
  for (let i = 0; i < PIXELS; i++) {
    if (tree[i]) for (let c = 0; c < 3; c++) result[i + c * PIXELS] = behind[i + c * PIXELS];
  }
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const [u, v] = [x + right, y + down];
      const [from, to] = [y * SIDE + x, v * SIDE + u];
      if (!tree[from] || u < 0 || v < 0 || u >= SIDE || v >= SIDE || creature[to]) continue;
      for (let c = 0; c < 3; c++) result[to + c * PIXELS] = image[from + c * PIXELS];
    }
  }
  return result;
}

/* How bright a pixel of the tree is on average, as a multiple of one of the owl. */
export function brightness(card, owl) {
  const { network, image, creature, tree } = card;
  card.map ??= saliency(network.gradient(network.run(image), cotangent(10, owl)));
  const mean = (mask) => {
    let [sum, count] = [0, 0];
    mask.forEach((here, i) => here && ((sum += card.map[i]), count++));
    return sum / count;
  };
  return mean(tree) / mean(creature);
}
