/* Everything that a reader chose in the photo lab, in one object; and the same as an address, which a link carries.

   A question is {target, less, method}: which class, rather than which other one (-1: none), asked in which way. */

import { strokesOf, strokesText } from "./strokes.js";
import { METHODS } from "./ways.js";

const OLDER_RULES = { backprop: "gradient" }; // what older links say

export function firstState(manifest) {
  return {
    photo: manifest.first.photo,
    strokes: [],
    target: top(manifest.first.scores),
    less: -1,
    method: "cam",
    beside: null, // the question whose map is kept for comparison
    box: 0, // the share of the map's maximum above which a box is drawn; 0: none
    guess: null, // {value, shown}: the reader's guess, before or after it stands
    radius: 16,
    // What no link carries: it passes.
    peek: -1, // the class that the pointer is on
    pixel: null, // where the pointer is on the map
    painting: false,
    stopped: "", // the map whose growth was ended
  };
}

export const question = ({ target, less, method }) => ({ target, less, method });

export const sameQuestion = (a, b) => a.target === b.target && a.less === b.less && a.method === b.method;

function top(scores) {
  return scores.reduce((best, score, i) => (score > scores[best] ? i : best), 0);
}

/* A state as the part of an address behind #; a photo of the reader's own is not in it. */
export function address(state, { names, photos }) {
  const said = photos.some(({ name }) => name === state.photo) ? { photo: state.photo } : {};
  const asked = (prefix, { target, less, method }) => {
    said[`${prefix}class`] = names[target];
    if (less >= 0) said[`${prefix}less`] = names[less];
    if (method !== "cam") said[`${prefix}method`] = method;
  };
  asked("", state);
  if (state.beside) asked("beside-", state.beside);
  if (state.strokes.length) said.cover = strokesText(state.strokes);
  if (state.box) said.box = state.box;
  return `#${new URLSearchParams(said)}`;
}

export const isAddress = (text) => text.startsWith("#photo=");

/* What an address changes of a first state. Whatever it does not say, or says wrongly, is as in the beginning; `target`
   is -1 where the top class is asked for. */
export function fromAddress(text, { names, photos, first }) {
  const said = new URLSearchParams(text.replace(/^#/, ""));
  const asked = (prefix) => ({
    target: names.indexOf(said.get(`${prefix}class`)),
    less: names.indexOf(said.get(`${prefix}less`)),
    method: way(said.get(`${prefix}method`) ?? (prefix ? null : olderRule(said))),
  });
  const box = Number(said.get("box"));
  const besides = said.has("beside-class") ? asked("beside-") : olderBeside(said.get("beside"), names);
  return {
    photo: photos.some(({ name }) => name === said.get("photo")) ? said.get("photo") : first.photo,
    strokes: strokesOf(said.get("cover")),
    ...asked(""),
    beside: besides && besides.target >= 0 ? besides : null,
    box: box >= 0.05 && box <= 0.95 ? box : 0,
  };
}

const way = (name) => (Object.hasOwn(METHODS, name) ? name : Object.hasOwn(OLDER_RULES, name) ? OLDER_RULES[name] : "cam");

/* Older links with a map beside asked by the gradient where they named no rule. */
function olderRule(said) {
  return said.get("rule") ?? (said.has("beside") ? "gradient" : "cam");
}

function olderBeside(text, names) {
  const comma = (text ?? "").lastIndexOf(",");
  return comma > 0 ? { target: names.indexOf(text.slice(0, comma)), less: -1, method: way(text.slice(comma + 1)) } : null;
}
