/* A brush over the photo: by mouse, pen, finger or keys; a finger that may scroll covers only where it taps. */

import { pointable } from "./pictures.js";

/* `state()` is the lab's; `strokes(strokes, painting)` is told what is covered now. */
export function brush(photo, state, strokes) {
  let [painting, hand, began] = [false, "scroll", null];
  const help = "Drag to cover with gray, or move with the arrow keys and press Enter";
  const hold = (event) => event.pointerType === "touch" && hand === "scroll";
  const hands = pointable(photo, help, { point: () => {}, press, release });

  function press(x, y) {
    const all = state().strokes;
    const last = all.at(-1);
    if (!painting) {
      painting = true;
      strokes([...all, { r: state().radius, points: [[x, y]] }], true);
      return;
    }
    const [px, py] = last.points.at(-1);
    // Points that are near each other would only make the link long.
    if (Math.hypot(x - px, y - py) < Math.max(2, last.r / 3)) return;
    strokes([...all.slice(0, -1), { ...last, points: [...last.points, [x, y]] }], true);
  }

  function release() {
    if (!painting) return;
    painting = false;
    strokes(state().strokes, false);
  }

  const { canvas } = photo;
  const frame = canvas.parentElement;
  // A finger that scrolls is kept from the brush; a tap is a dot.
  frame.addEventListener("pointerdown", (event) => {
    if (!hold(event)) return;
    began = { x: event.clientX, y: event.clientY };
    event.stopPropagation();
  }, true);
  frame.addEventListener("pointerup", (event) => {
    if (!began || !hold(event)) return;
    event.stopPropagation();
    const tapped = Math.hypot(event.clientX - began.x, event.clientY - began.y) < 8;
    began = null;
    if (!tapped) return;
    const box = canvas.getBoundingClientRect();
    const at = (share) => Math.max(0, Math.min(photo.side - 1, Math.floor(share * photo.side)));
    hands.move(at((event.clientX - box.left) / box.width), at((event.clientY - box.top) / box.height), "pointer");
    press(hands.at.x, hands.at.y);
    release();
  }, true);

  const use = (wanted) => {
    hand = wanted;
    canvas.style.touchAction = hand === "scroll" ? "pan-y pinch-zoom" : "none";
  };
  use(hand);
  return { ring: (radius) => hands.ring(2 * radius + 1), use };
}
