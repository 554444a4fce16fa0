/* Numbers as bars: the scores of classes, and a guess beside a forecast beside what happened. */

import { element, signed } from "./elements.js";

/* Rows of a name, a bar from the middle for a signed value, and the number. */
export function bars(label) {
  const body = element("div", { class: "lab-bars", role: "img", "aria-label": label });
  return {
    body,
    show(rows) {
      const most = Math.max(0.5, ...rows.map(({ value }) => Math.abs(value)));
      body.replaceChildren(...rows.map(({ name, value, kind = "", text = signed(value) }) => {
        const bar = element("i", { class: `lab-bar ${kind}` });
        bar.style.width = `${(50 * Math.abs(value)) / most}%`;
        bar.style.left = value < 0 ? `${50 - (50 * Math.abs(value)) / most}%` : "50%";
        return element("div", { class: "lab-bar-row" }, element("span", {}, name),
          element("span", { class: "lab-track" }, bar), element("b", {}, text));
      }));
      body.setAttribute("aria-label",
        `${label}: ${rows.map(({ name, value, text = signed(value) }) => `${name} ${text}`).join(", ")}`);
    },
  };
}
