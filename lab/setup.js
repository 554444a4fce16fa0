/* A setup of the photo lab as an address, so that a teacher can link to it. */

import { RULES_BY_GATE } from "./engine.js";

export function address(ask, { box, beside }) {
  const said = { photo: ask.photo, class: ask.names[ask.target] };
  if (ask.less >= 0) said.less = ask.names[ask.less];
  if (ask.rule !== "backprop") said.rule = ask.rule;
  if (box) said.box = box;
  if (beside) said.beside = `${ask.names[beside.target]},${beside.rule}`;
  return `#${new URLSearchParams(said)}`;
}

/* What an address asks for. Whatever it does not say, or says wrongly, is as in the beginning. */
export function fromAddress(text, { names, photos }) {
  const said = new URLSearchParams(text);
  const rule = (name) => (name in RULES_BY_GATE ? name : "backprop");
  const photo = photos.find(({ name }) => name === said.get("photo")) ?? photos[0];
  const comma = (said.get("beside") ?? "").lastIndexOf(",");
  const kept = names.indexOf((said.get("beside") ?? "").slice(0, comma));
  const box = Number(said.get("box"));
  return {
    photo: photo.name,
    target: names.indexOf(said.get("class")),
    less: names.indexOf(said.get("less")),
    rule: rule(said.get("rule")),
    box: box >= 0.05 && box <= 0.95 ? box : 0,
    beside: comma > 0 && kept >= 0 ? { target: kept, rule: rule(said.get("beside").slice(comma + 1)) } : null,
  };
}
