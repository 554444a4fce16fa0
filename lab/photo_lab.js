/* The ImageNet network on photos: the reader's own, and what to ask of them. */

import { theManifest } from "./data.js";
import { button, element, row, say } from "./elements.js";
import { imagenet } from "./engine.js";
import { PhotoQuestion } from "./photo_question.js";
import { workbench } from "./workbench.js";

/* First a button that says what it costs; the network comes only when it is pressed, or a link asks for it. */
export async function photoLab(place) {
  const manifest = await theManifest();
  const bar = element("progress", { max: 1, value: 0, hidden: true, "aria-label": "Loading the network" });
  const note = say(place, "");
  const start = button(`Load the network (${manifest.megabytes} MB, once)`, async () => {
    start.disabled = true;
    bar.hidden = false;
    note.textContent = "Loading …";
    try {
      const engine = await imagenet(manifest, (share) => (bar.value = share));
      performance.mark("network");
      note.textContent = "Preparing the network …";
      const ask = new PhotoQuestion(engine, manifest);
      await workbench(place, ask);
      panel.remove();
      note.remove();
      place.dataset.network = engine.where;
      globalThis.lab.photo = ask;
    } catch (error) {
      note.textContent = `The network could not be loaded: ${error.message}. Try again.`;
      bar.hidden = true;
      start.disabled = false;
    }
  });
  start.className = "main";
  const panel = element("div", {}, row(start, bar));
  place.prepend(panel);
  if (location.hash.startsWith("#photo=")) start.click();
}
