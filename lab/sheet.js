/* Pictures with their captions side by side, saved as one: each is {canvas, text}. */

import { element } from "./elements.js";

const CREDIT = "EfficientNet-Lite0. Made with Deep Inside ConvNets.";

export function saveSheet(pictures, name) {
  sheetOf(pictures).toBlob((blob) => {
    const out = element("a", { href: URL.createObjectURL(blob), download: `${name}.png` });
    out.click();
    setTimeout(() => URL.revokeObjectURL(out.href), 1000);
  });
}

function sheetOf(pictures) {
  const sheet = element("canvas", { width: pictures.length * 336, height: 400 });
  const context = sheet.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, sheet.width, sheet.height);
  context.fillStyle = "#171033";
  context.font = "15px system-ui, sans-serif";
  pictures.forEach(({ canvas, text }, i) => {
    context.drawImage(canvas, i * 336 + 4, 4, 328, 328);
    context.fillText(text, i * 336 + 6, 354, 324);
  });
  context.font = "13px system-ui, sans-serif";
  context.fillText(CREDIT, 6, 384, sheet.width - 12);
  return sheet;
}
