/* What a brush covered: strokes of a width along points, as they stand in a link, and the photo with them on it.

   A stroke is {r, points: [[x, y], ...]}, whole pixels of a photo of 224. */

import { PHOTO_AREA, PHOTO_SIDE } from "./photos.js";

const PAINT = 0.5;
export const BRUSH = { least: 3, most: 50, usual: 16 };

/* Strokes as text: the width in two letters, each point in four, strokes parted by dots. */
export function strokesText(strokes) {
  const two = (value) => value.toString(36).padStart(2, "0");
  return strokes.map(({ r, points }) => two(r) + points.map(([x, y]) => two(x) + two(y)).join("")).join(".");
}

/* The strokes of a text; none of one that is no such text. */
export function strokesOf(text) {
  if (!/^[0-9a-z.]+$/.test(text ?? "")) return [];
  const strokes = text.split(".").map((part) => {
    const [r, ...rest] = (part.match(/../g) ?? []).map((letters) => parseInt(letters, 36));
    const points = Array.from({ length: Math.floor(rest.length / 2) }, (_, i) => rest.slice(2 * i, 2 * i + 2));
    return { r, points };
  });
  const inside = ([x, y]) => x < PHOTO_SIDE && y < PHOTO_SIDE;
  return strokes.filter(({ r, points }) => r >= BRUSH.least && r <= BRUSH.most && points.length && points.every(inside));
}

const masks = new WeakMap(); // by the list of strokes, which is never changed

/* One for each pixel that a stroke reached: all that is no further from its line than its width. */
export function reached(strokes) {
  if (!masks.has(strokes)) masks.set(strokes, maskOf(strokes));
  return masks.get(strokes);
}

function maskOf(strokes) {
  const mask = new Uint8Array(PHOTO_AREA);
  for (const { r, points } of strokes) {
    points.forEach((end, i) => line(mask, points[Math.max(0, i - 1)], end, r));
  }
  return mask;
}

function line(mask, [ax, ay], [bx, by], r) {
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy || 1;
  const [top, bottom] = [Math.max(0, Math.min(ay, by) - r), Math.min(PHOTO_SIDE - 1, Math.max(ay, by) + r)];
  const [left, right] = [Math.max(0, Math.min(ax, bx) - r), Math.min(PHOTO_SIDE - 1, Math.max(ax, bx) + r)];
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const t = Math.max(0, Math.min(1, ((x - ax) * dx + (y - ay) * dy) / length));
      if ((x - ax - t * dx) ** 2 + (y - ay - t * dy) ** 2 <= r * r) mask[y * PHOTO_SIDE + x] = 1;
    }
  }
}

/* A photo (3, 224, 224) with gray where the strokes are. */
export function covered(image, strokes) {
  if (!strokes.length) return image;
  const [mask, result] = [reached(strokes), image.slice()];
  for (let i = 0; i < result.length; i++) if (mask[i % PHOTO_AREA]) result[i] = PAINT;
  return result;
}

/* The share of the photo that they cover. */
export function coveredShare(strokes) {
  return strokes.length ? reached(strokes).reduce((a, b) => a + b) / PHOTO_AREA : 0;
}
