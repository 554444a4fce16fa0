/* Every sentence, caption and number of the photo lab, from its state and the network's answers, and from nothing else. */

import { signed } from "./elements.js";
import { best, rankCorrelation, softmax, thresholdBox } from "./maps.js";
import { question } from "./photo_state.js";
import { PHOTO_AREA, PHOTO_SIDE } from "./photos.js";
import { coveredShare } from "./strokes.js";
import { METHODS } from "./ways.js";

const SMALLEST_BOX = 0.005; // of the photo's area: a few bright specks are no object

/* A whole number of percent. */
const percent = (share) => `${Math.round(100 * share)} %`;

export function titleOf({ target, less }, names) {
  if (target < 0) return "…";
  return less >= 0 ? `${names[target]} rather than ${names[less]}` : names[target];
}

/* "espresso · guided", and how far a map has grown that is not whole. */
function caption(asked, { names }, found) {
  const { title, passes } = METHODS[asked.method];
  const grown = passes > 1 && (found?.done ?? 0) < passes ? `, ${found?.done ?? 0} of ${passes}` : "";
  return `${titleOf(asked, names)} · ${title}${grown}`;
}

/* The state in words: `answers` knows what the network said, `manifest` the names. */
export function told(state, answers, manifest) {
  const at = answers.at(state);
  const waits = at !== state && !state.painting;
  const [now, clean] = [answers.now(at), answers.clean(state)];
  const shown = answers.shown(state);
  const found = answers.map(at, shown);
  const kept = state.beside && answers.map(at, state.beside);
  const photo = photoTitle(state, manifest);
  const share = coveredShare(state.strokes);
  const hidden = Boolean(state.guess && !state.guess.shown && state.strokes.length);
  const alike = found && kept ? `rank correlation ${signed(correlation(kept.map, found.map)).replace("+", "")}` : "";
  const covering = state.strokes.length ? `, ${percent(share)} covered` : "";
  return {
    sheet: {
      photo: photo + covering,
      beside: state.beside ? caption(state.beside, manifest, kept) : "",
      map: [caption(shown, manifest, found), alike].filter(Boolean).join(" · "),
    },
    photo: state.strokes.length ? `${percent(share)} covered` : "paint over it",
    photoDescription: `The photo ${photo}${covering}`,
    map: caption(shown, manifest, found) + (found && !waits ? "" : " …"),
    mapDescription: `The map of ${caption(shown, manifest, found)} for the photo ${photo}`,
    beside: state.beside ? caption(state.beside, manifest, kept) : "",
    besideDescription: state.beside ? `Kept beside: the map of ${caption(state.beside, manifest, kept)}` : "",
    alike,
    growing: growing(state, answers, shown, found),
    sentence: sentence(state, waits ? null : now, clean, hidden, manifest, answers.network.stage),
    pixel: pixel(state, shown, found),
    note: alike ? `${note(shown)} ${ALIKE}` : note(shown),
    box: boxOf(state, found),
    waits,
    found,
    kept,
    rows: (text) => rows(state, now, clean, hidden, manifest, text),
  };
}

let compared = { a: null, b: null, r: 0 };

/* Of the same two maps it is asked again and again. */
function correlation(a, b) {
  if (compared.a !== a || compared.b !== b) compared = { a, b, r: rankCorrelation(a, b) };
  return compared.r;
}

export function photoTitle({ photo }, { photos }) {
  return photos.find(({ name }) => name === photo)?.title ?? photo.replace(/^own:\d+:/, "");
}

function growing(state, answers, shown, found) {
  const { title, passes } = METHODS[shown.method];
  const done = found?.done ?? 0;
  if (passes <= 1 || done >= passes) return null;
  const stopped = state.stopped === answers.mapKey(state, shown);
  return { done, passes, stopped, text: `${title}: ${done} of ${passes}${stopped ? ", stopped" : ""}` };
}

/* What the network says now, beside what it said of the photo without gray. */
function sentence(state, now, clean, hidden, { names }, stage) {
  if (!now || !clean) return stage === "ready" ? "The network looks …" : "The network is not here yet; then it looks.";
  const [was, is] = [clean, now].map(({ scores }) => best(scores, 1)[0]);
  const chance = ({ scores }, i) => percent(softmax(scores)[i]);
  if (!state.strokes.length) {
    return `The network says ${names[is]}, ${chance(now, is)}. Run down the names: the map answers for each. `
      + "Then paint over what you would recognize it by.";
  }
  if (hidden) return `How far will the score of ${titleOf(state, names)} move? Set your guess, then look.`;
  if (was !== is) {
    return `Now it says ${names[is]}, ${chance(now, is)}, and no longer ${names[was]}: ${chance(now, was)} instead of `
      + `${chance(clean, was)}.`;
  }
  const [before, after] = [chance(clean, was), chance(now, is)];
  const moved = now.scores[is] - clean.scores[is];
  const surer = Number.parseInt(after, 10) - Number.parseInt(before, 10);
  if (!surer) return `Still ${names[is]}, ${after}; its score moved by ${signed(moved, 1)}.`;
  const twist = surer > 0 ? "It is surer now." : moved > 0 ? `Its own score rose by ${signed(moved, 1)}: others rose more.`
    : "What did it look at?";
  return `Still ${names[is]}, ${after} instead of ${before}. ${twist}`;
}

function pixel(state, shown, found) {
  if (!state.pixel || !found || found.map.length !== PHOTO_AREA) return "";
  const { x, y } = state.pixel;
  const i = y * PHOTO_SIDE + x;
  const M = found.map[i];
  if (!found.signal) {
    const most = found.map.reduce((a, b) => Math.max(a, b), 0);
    return `Pixel (${x}, ${y}): ${most ? percent(M / most) : "0 %"} of this map's maximum.`;
  }
  const w = ["red", "green", "blue"].map((name, c) => `${name} ${signed(found.signal[i + c * PHOTO_AREA], 3)}`).join(", ");
  return `Pixel (${x}, ${y}): (${w}), M = ${M.toFixed(3)}`
    + (shown.method === "gradient" ? `, price 1/M = ${M > 0 ? (1 / M).toFixed(1) : "beyond all price"}.`
      : ", which is no derivative, so it has no price.");
}

const NOTES = {
  cam: "Grad-CAM has 7 × 7 cells, painted where their middles lie: right of and below those of an even grid. What a cell says "
    + "comes mostly from outside its square.",
  guided: "Guided backpropagation hardly asks which name: compare two.",
  deconvnet: "The DeconvNet's rule hardly asks which name: compare two.",
  gradient: "Where a small change of a pixel would move the score most.",
  smoothgrad: "The mean gradient over 16 noisy copies of the photo.",
  integrated: "Each pixel's share of the score on the way from a black photo to this one.",
  occlusion: "How far the score falls when a square of 32 pixels is gray; where it rises, the map is dark.",
};

const ALIKE = "Rank correlation compares the order of the pixels: 1 is the same order, 0 none in common. Each map is painted up "
  + "to its own maximum.";

const note = ({ method }) => NOTES[method];

/* The box around the largest piece of the map, and what it is worth. */
function boxOf(state, found) {
  if (!state.box || !found) return { box: null, text: "" };
  const piece = thresholdBox(found.map, state.box);
  if (!piece) return { box: null, text: "The map is nowhere positive: there is no box." };
  const [x0, y0, x1, y1] = piece.box;
  const share = ((x1 - x0) * (y1 - y0)) / PHOTO_AREA;
  if (share < SMALLEST_BOX) return { box: null, text: "The largest piece is a speck of a few pixels, and gets no box." };
  return { box: piece.box, text: `The box has ${percent(share)} of the photo.` };
}

/* The names in a list: the best ten, or those that a text is found in, best first; and always the one that is asked for. */
function rows(state, now, clean, hidden, { names, synonyms }, text) {
  const scores = now?.scores ?? clean?.scores;
  if (!scores) return [];
  const [p, q] = [scores, clean?.scores ?? scores].map(softmax);
  let found = best(scores, names.length);
  if (text) found = found.filter((i) => matches(text, names[i]) || matches(text, synonyms[i]));
  const most = found.slice(0, 10);
  if (!text && state.target >= 0 && !most.includes(state.target)) most[9] = state.target;
  return most.map((i) => {
    const change = Math.round(100 * (p[i] - q[i]));
    return {
      index: i,
      name: names[i],
      also: text && !matches(text, names[i]) ? synonyms[i].split("|").find((word) => matches(text, word)) : "",
      share: hidden ? 0 : p[i],
      score: hidden ? "?" : signed(scores[i], 1).replace("+", ""),
      percent: hidden ? "?" : percent(p[i]),
      change: hidden || !change ? 0 : change,
    };
  });
}

const matches = (text, words) => words.toLowerCase().includes(text.toLowerCase());
