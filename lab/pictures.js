/* Images and maps on canvases, and a canvas that a hand or the keys can point at. */

import { element } from "./elements.js";
import { quantile } from "./maps.js";

/* A canvas of `side` by `side` pixels with a name and a caption; `show` changes what is read out. */
export function picture(side, caption, description) {
  const canvas = element("canvas", { width: side, height: side, role: "img", "aria-label": description });
  const context = canvas.getContext("2d");
  const legend = element("figcaption", {}, caption);
  const figure = element("figure", { class: "lab-picture" }, canvas, legend);
  return { canvas, context, figure, legend, side, describe: (text) => canvas.setAttribute("aria-label", text) };
}

/* An image (3, side, side), values in [0, 1]; others are clipped. */
export function drawImage({ context, side }, image) {
  const pixels = side * side;
  const data = context.createImageData(side, side);
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < 3; c++) data.data[4 * i + c] = Math.round(255 * image[c * pixels + i]);
    data.data[4 * i + 3] = 255;
  }
  context.putImageData(data, 0, 0);
}

/* A map (side, side) in the book's colors: black at 0, bright at `top` (its 99.5th percentile). */
export function drawMap({ context, side }, map, colors, top = quantile(map, 0.995) || 1) {
  const data = context.createImageData(side, side);
  for (let i = 0; i < map.length; i++) {
    const level = 3 * Math.min(255, Math.floor((256 * map[i]) / top));
    data.data.set([colors[level], colors[level + 1], colors[level + 2], 255], 4 * i);
  }
  context.putImageData(data, 0, 0);
}

/* Let a picture be pointed at: by mouse, pen or finger, or by the arrow keys, with Enter or Space to press.
   `on.point(x, y)` is told where, `on.press(x, y)` that the place is pressed or painted over, `on.leave()` that the
   pointer has gone, `on.free()` that Escape was pressed. While `on.held()` is true the place stays, and where the pointer
   goes over the picture is told to `on.peek(x, y)` only. `ring(width)` shows a brush of so many pixels. */
export function pointable({ canvas, figure, side }, help, on) {
  const at = { x: Math.floor(side / 2), y: Math.floor(side / 2) };
  const cross = element("span", { class: "lab-cross", "aria-hidden": "true", hidden: true });
  const frame = element("div", { class: "lab-canvas" });
  canvas.replaceWith(frame);
  frame.append(canvas, cross);
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-description", help);
  canvas.title = help;
  const move = (x, y, how) => {
    at.x = Math.max(0, Math.min(side - 1, x));
    at.y = Math.max(0, Math.min(side - 1, y));
    cross.hidden = false;
    cross.style.left = `${(100 * (at.x + 0.5)) / side}%`;
    cross.style.top = `${(100 * (at.y + 0.5)) / side}%`;
    on.point?.(at.x, at.y, how);
  };
  const under = (event) => {
    const box = canvas.getBoundingClientRect();
    const inside = (share) => Math.max(0, Math.min(side - 1, Math.floor(share * side)));
    return [inside((event.clientX - box.left) / box.width), inside((event.clientY - box.top) / box.height)];
  };
  const place = (event) => move(...under(event), "pointer");
  let down = false;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    down = true;
    canvas.setPointerCapture(event.pointerId);
    place(event);
    on.press?.(at.x, at.y);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!down && event.pointerType === "touch") return;
    if (!down && on.held?.()) return on.peek?.(...under(event));
    place(event);
    // A stroke may have begun before this canvas was here.
    if (on.resumes && event.buttons & 1) down = true;
    if (down) on.press?.(at.x, at.y);
  });
  const up = () => {
    if (down) on.release?.();
    down = false;
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", () => on.leave?.());
  canvas.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? Math.max(1, Math.round(side / 12)) : Math.max(1, Math.round(side / 64));
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (ways[event.key]) move(at.x + step * ways[event.key][0], at.y + step * ways[event.key][1], "key");
    else if (event.key === "Enter" || event.key === " ") {
      move(at.x, at.y, "key");
      on.press?.(at.x, at.y);
      on.release?.();
    } else if (event.key === "Escape" && on.free) on.free();
    else return;
    event.preventDefault();
  });
  /* The ring about the place pointed at, as wide as the brush that paints there. */
  const ring = (pixels) => {
    Object.assign(cross.style, { width: `${(100 * pixels) / side}%`, height: `${(100 * pixels) / side}%` });
    cross.classList.add("brush");
  };
  /* Strokes that a hand has made elsewhere: lists of places, as shares of the sides. */
  const repeat = (strokes) => {
    for (const stroke of strokes) {
      for (const [across, below] of stroke) {
        move(Math.floor(across * side), Math.floor(below * side), "pointer");
        on.press?.(at.x, at.y);
      }
      on.release?.();
    }
  };
  return { at, move, figure, cross, ring, repeat };
}

/* A box [x0, y0, x1, y1] as a line that is seen on light and dark. */
export function drawBox({ context, side }, box, color = "#ffd76a", dash = []) {
  const width = Math.max(1, side / 100);
  context.save();
  for (const [stroke, line] of [["#000c", width * 2], [color, width]]) {
    context.setLineDash(stroke === color ? dash : []);
    context.strokeStyle = stroke;
    context.lineWidth = line;
    context.strokeRect(box[0], box[1], box[2] - box[0], box[3] - box[1]);
  }
  context.restore();
}

/* The pixels of a disk about (x, y), as indices. */
export function disk(side, x, y, radius) {
  const found = [];
  for (let j = Math.max(0, Math.ceil(y - radius)); j <= Math.min(side - 1, y + radius); j++) {
    for (let i = Math.max(0, Math.ceil(x - radius)); i <= Math.min(side - 1, x + radius); i++) {
      if ((i - x) ** 2 + (j - y) ** 2 <= radius * radius) found.push(j * side + i);
    }
  }
  return found;
}
