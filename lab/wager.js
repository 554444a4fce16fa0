/* Predict first, with the large network: the numbers stay hidden until the guess stands. */

import { bars } from "./bars.js";
import { button, element, row, signed, slider } from "./elements.js";

export function wager(on) {
  const scale = slider("Your guess", { min: -15, max: 15, step: 0.5, value: 0, format: (v) => signed(v, 1) }, on.value);
  const reveal = button("Show what happens", on.show);
  const chart = bars("Change of the score");
  const said = element("p", { class: "lab-note", role: "status" });
  const body = element("div", { class: "lab-guess" }, row(scale, reveal), chart.body, said);
  return {
    body,
    /* `outcome` is {before, forecast, after}, or null while it is not known. */
    show({ guess, strokes }, outcome, what) {
      body.hidden = !guess;
      if (!guess) return;
      scale.set(guess.value);
      reveal.disabled = guess.shown || !strokes.length;
      const open = guess.shown && outcome;
      chart.body.hidden = !open;
      if (!open) {
        said.textContent = strokes.length ? "" : "Cover a part of the photo first.";
        return;
      }
      const { before, forecast, after } = outcome;
      chart.show([
        { name: "your guess", value: guess.value, kind: "guess" },
        { name: "linear forecast w·ΔI", value: forecast, kind: "forecast" },
        { name: "what happened", value: after - before, kind: "actual" },
      ]);
      said.textContent = `The score of ${what} went from ${before.toFixed(2)} to ${after.toFixed(2)}: `
        + `${signed(after - before)}. The linear model forecast ${signed(forecast)}.`;
    },
  };
}
