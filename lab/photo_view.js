/* The two large pictures of the photo lab: the photo under the brush or the map kept beside, and the map. */

import { element } from "./elements.js";
import { quantile } from "./maps.js";
import { PHOTO_SIDE } from "./photos.js";
import { drawBox, drawImage, drawMap, picture } from "./pictures.js";

const DIM = 0.5;

/* A picture with its caption in a corner, and a place for a second line in the other. */
export function stage(name) {
  const made = picture(PHOTO_SIDE, "", name);
  const right = element("span", { class: "lab-tag right" });
  made.legend.className = "lab-tag";
  made.figure.classList.add("lab-stage");
  made.figure.append(right);
  return Object.assign(made, { right, drawn: null });
}

export function showPhoto(shown, image, box) {
  const same = shown.drawn;
  if (!image || (same && same.image === image && same.box === String(box))) return;
  shown.drawn = { image, box: String(box) };
  drawImage(shown, image);
  if (box) drawBox(shown, box);
}

/* A map: of cells over the gray photo, of pixels by itself; `over` lays it over the photo in any case. */
export function showMap(shown, image, map, { coarse, over, colors, box }) {
  if (!map) return;
  const same = shown.drawn;
  if (same && same.map === map && same.image === image && same.over === over && same.box === String(box)) return;
  shown.drawn = { map, image, over, box: String(box) };
  if (coarse || over) layOver(shown, image, map, colors, over);
  else drawMap(shown, map, colors);
  if (box) drawBox(shown, box);
}

function layOver({ context, side }, image, map, colors, inColor) {
  const [pixels, top] = [side * side, quantile(map, 0.995) || 1];
  const data = context.createImageData(side, side);
  for (let i = 0; i < pixels; i++) {
    const share = Math.min(1, map[i] / top);
    const alpha = Math.min(1, 0.1 + 1.1 * share);
    const level = 3 * Math.min(255, Math.floor(256 * share));
    const [r, g, b] = [image[i], image[i + pixels], image[i + 2 * pixels]];
    const gray = 255 * DIM * (0.299 * r + 0.587 * g + 0.114 * b);
    [r, g, b].forEach((value, c) => {
      data.data[4 * i + c] = (1 - alpha) * (inColor ? 255 * 0.85 * value : gray) + alpha * colors[level + c];
    });
    data.data[4 * i + 3] = 255;
  }
  context.putImageData(data, 0, 0);
}
