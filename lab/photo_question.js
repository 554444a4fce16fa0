/* What is asked of the ImageNet network: of which photo, for which class or difference of two, by which rule. */

import { cotangent } from "./creature_network.js";
import { RULES_BY_GATE } from "./engine.js";
import { best, saliency } from "./maps.js";
import { exactly } from "./photos.js";

export class PhotoQuestion {
  constructor(engine, manifest) {
    Object.assign(this, { engine, names: manifest.names, photos: manifest.photos, colors: manifest.colors });
    Object.assign(this, { image: null, photo: "", target: 0, less: -1, rule: "backprop" });
  }

  /* Another photo; its top class is asked for, unless one is named. */
  async show(image, photo, target = -1) {
    const scores = await this.scoresOf(image);
    Object.assign(this, { image, photo, scores, top: best(scores, 5) });
    this.target = target >= 0 ? target : this.top[0];
  }

  async sample(name, target) {
    await this.show(await exactly(this.photos.find((photo) => photo.name === name).pixels), name, target);
  }

  run(image, g, rule = "backprop") {
    return this.engine.ask({ kind: "answer", image, cotangent: g, gates: RULES_BY_GATE[rule] });
  }

  async scoresOf(image) {
    return (await this.run(image, new Float32Array(this.names.length))).scores;
  }

  get wanted() {
    return cotangent(this.names.length, this.target, this.less);
  }

  get title() {
    return this.less >= 0 ? `${this.names[this.target]} less ${this.names[this.less]}` : this.names[this.target];
  }

  /* The number asked for: a score, or the difference of two. */
  value(scores) {
    return scores[this.target] - (this.less >= 0 ? scores[this.less] : 0);
  }

  /* The map, and what it was made of; under another rule than the gradient's, w is fetched as well when it is needed. */
  async map() {
    const { gradient } = await this.run(this.image, this.wanted, this.rule);
    return { signal: gradient, map: saliency(gradient) };
  }

  async gradient() {
    return (await this.run(this.image, this.wanted)).gradient;
  }
}
