/* Predict first: the reader's guess, then the linear forecast and what the network really does. */

import { bars } from "./bars.js";
import { button, element, row, signed, slider, tick } from "./elements.js";

/* `ask()` returns {before, forecast, after} for the change on the table, or null if nothing was changed. */
export function guess(what, ask) {
  let [mine, first, shown] = [0, true, false];
  const said = element("p", { class: "lab-note", role: "status" });
  const chart = bars(`Change of ${what}`);
  const scale = slider("Your guess", { min: -15, max: 15, step: 0.5, value: 0, format: (v) => signed(v, 1) }, (value) => {
    mine = value;
  });
  const reveal = button("Show what happens", () => {
    shown = true;
    update();
  });
  const skip = tick("I guess first", true, (value) => {
    first = value;
    update();
  });
  const controls = row(scale, reveal);
  const place = element("div", { class: "lab-guess" }, row(skip), controls, chart.body, said);

  function update() {
    const found = ask();
    controls.hidden = !first;
    reveal.disabled = !found;
    const open = found && (shown || !first);
    chart.body.hidden = !open;
    if (!open) {
      said.textContent = found
        ? `How far will ${what} move? Set your guess, then look.`
        : "Change the picture first.";
      return;
    }
    const actual = found.after - found.before;
    chart.show([
      ...(first ? [{ name: "your guess", value: mine, kind: "guess" }] : []),
      { name: "linear forecast w·ΔI", value: found.forecast, kind: "forecast" },
      { name: "what happened", value: actual, kind: "actual" },
    ]);
    said.textContent = `${what} went from ${found.before.toFixed(2)} to ${found.after.toFixed(2)}: `
      + `${signed(actual)}. The linear model forecast ${signed(found.forecast)}.`;
  }

  return {
    place,
    update,
    /* The picture was changed: what was shown is about another one. */
    changed() {
      shown = false;
      update();
    },
  };
}
