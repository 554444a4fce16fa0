/* Puts a lab into each place that a page has for one, when it comes into view. */

import { ascentLab } from "./ascent_lab.js";
import { boxLab } from "./box_lab.js";
import { coverLab } from "./cover_lab.js";
import { cotangent } from "./creature_network.js";
import { theCreatures } from "./data.js";
import { diffusionLab } from "./diffusion_lab.js";
import { theDenoiser } from "./diffusion_network.js";
import { drawLab } from "./draw_lab.js";
import { say } from "./elements.js";
import { photoLab } from "./photo_lab.js";
import { window224 } from "./photos.js";
import { priceLab } from "./price_lab.js";
import { raceLab } from "./race_lab.js";
import { rulepadLab } from "./rulepad_lab.js";
import { rulesLab } from "./rules_lab.js";
import { suspectLab } from "./suspect_lab.js";
import { moved } from "./suspects.js";

const LABS = {
  photo: photoLab, price: priceLab, cover: coverLab, rules: rulesLab, draw: drawLab, ascent: ascentLab, box: boxLab,
  rulepad: rulepadLab, race: raceLab, suspect: suspectLab, diffusion: diffusionLab,
};

async function start(place) {
  const note = say(place, "Loading the network …");
  const focused = place.contains(document.activeElement);
  try {
    await LABS[place.dataset.lab](place);
    place.querySelector(".lab-prepared")?.remove();
    place.dataset.state = "ready";
    note.remove();
    // Whoever pressed a button that is gone goes on where it led to.
    if (focused && !place.contains(document.activeElement)) place.querySelector("canvas[tabindex]")?.focus();
  } catch (error) {
    note.textContent = `This lab could not start (${error.message}). The picture was prepared beforehand.`;
    place.dataset.state = "failed";
    console.warn(error);
  }
}

/* For the console, and for tests: what the labs compute with. */
globalThis.lab = { theCreatures, cotangent, window224, movedTree: moved, theDenoiser };

const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    start(target);
  }
}, { rootMargin: "300px" });
for (const place of document.querySelectorAll(".lab")) {
  if (place.dataset.start !== "touch" || "touched" in place.dataset) seen.observe(place);
  else place.addEventListener("lab-start", () => seen.observe(place), { once: true });
}
