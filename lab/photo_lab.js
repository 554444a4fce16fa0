/* The photo lab: one state, which every control changes, and one render, from which all that is seen follows. */

import { Answers } from "./answers.js";
import { theManifest } from "./data.js";
import { best } from "./maps.js";
import { LargeNetwork } from "./network.js";
import { fromFile } from "./photos.js";
import { address, firstState, fromAddress, isAddress, question } from "./photo_state.js";
import { photoPage } from "./photo_page.js";
import { titleOf, told } from "./photo_words.js";
import { saveSheet } from "./sheet.js";

export async function photoLab(place) {
  const lab = new PhotoLab(place, await theManifest());
  await lab.begin();
  globalThis.lab.photo = lab;
}

class PhotoLab {
  constructor(place, manifest) {
    Object.assign(this, { place, manifest, state: firstState(manifest), message: "", touched: false, owns: 0 });
    this.network = new LargeNetwork(manifest, { changed: () => this.render(), arrived: () => this.work() });
    this.answers = new Answers(manifest, this.network, { state: () => this.state, arrived: () => this.came() });
  }

  /* The first picture stands there without a network; an address may ask for another one. */
  async begin() {
    await this.answers.begin(this.manifest.first);
    this.page = photoPage(this.place, this);
    addEventListener("hashchange", () => isAddress(location.hash) && this.bring(location.hash));
    if (isAddress(location.hash)) this.bring(location.hash);
    else this.render();
  }

  /* Every change of what is shown goes through here. */
  change(changes, message = "") {
    const before = this.state;
    this.state = { ...before, ...changes };
    this.settle();
    const asks = ["photo", "strokes", "target", "less", "method"].some((key) => this.state[key] !== before[key]);
    // What stood for another picture or question does not stand for this one.
    if (asks && this.state.guess?.shown) this.state.guess = { ...this.state.guess, shown: false };
    this.message = message;
    this.render();
    if (!this.state.painting) this.remember();
    return this.work();
  }

  /* What passes, and is no part of what is remembered. */
  show(changes) {
    this.state = { ...this.state, ...changes };
    this.render();
  }

  peek(peek) {
    if (peek === this.state.peek) return;
    this.show({ peek });
    // A look at a name fetches nothing: what is not here yet is not worth the network's coming.
    if (this.network.stage === "ready") this.work();
  }

  work() {
    return this.answers.work().catch((error) => {
      this.message = `${error.message.replace(/\.?$/, ".")} What was shown stays.`;
      this.render();
    });
  }

  /* An answer came. */
  came() {
    if (this.settle()) this.remember();
    this.render();
  }

  /* A class that was not named is the top one, as soon as that is known. */
  settle() {
    const clean = this.answers.clean(this.state);
    if (this.state.target >= 0 || !clean) return false;
    this.state = { ...this.state, target: best(clean.scores, 1)[0] };
    return true;
  }

  render() {
    this.words = told(this.state, this.answers, this.manifest);
    this.page?.show(this.words);
  }

  /* Another photo: the gray and what was asked of the other one go. */
  sample(photo) {
    return this.change({ ...fromAddress(`photo=${photo}`, this.manifest), method: this.state.method, guess: this.reguess() });
  }

  async take(file) {
    if (!file) return;
    try {
      const image = await fromFile(file);
      const photo = `own:${this.owns++}:${file.name || "pasted picture"}`;
      this.answers.photos.set(photo, image);
      await this.change({
        ...fromAddress("", this.manifest), method: this.state.method, photo, guess: this.reguess(),
      });
    } catch (error) {
      this.change({}, `${error.message.replace(/\.?$/, ".")} What was shown stays.`);
    }
  }

  reguess() {
    return this.state.guess && { value: 0, shown: false };
  }

  /* What an address asks for. */
  bring(text) {
    return this.change({ ...fromAddress(text, this.manifest), guess: null, peek: -1, pixel: null });
  }

  compare() {
    return this.change({ beside: this.state.beside ? null : question(this.state) });
  }

  stop() {
    const { state, answers } = this;
    return this.change({ stopped: answers.mapKey(state, answers.shown(state)) });
  }

  isOwn() {
    return this.state.photo.startsWith("own:");
  }

  /* The address of the page says what is shown, as far as every reader has it. */
  remember() {
    const text = address(this.state, this.manifest);
    const plain = location.pathname + location.search;
    if (this.isOwn()) history.replaceState(null, "", plain);
    else if (text !== location.hash && (this.touched || text !== this.firstAddress())) history.replaceState(null, "", text);
    this.touched = true;
  }

  firstAddress() {
    return address(firstState(this.manifest), this.manifest);
  }

  async copy() {
    if (this.isOwn()) return this.change({}, "Your photo stays in this page, so no link can show it: save the picture.");
    const told = await navigator.clipboard?.writeText(location.href).then(() => "The link is copied.", () => "");
    return this.change({}, told || "The address of this page is the link.");
  }

  save() {
    saveSheet(this.page.sheet(), `map-${titleOf(this.state, this.manifest.names)}`);
  }

  /* All that was asked for is here, or waits for the network. */
  idle() {
    return this.answers.busy ?? Promise.resolve();
  }
}
