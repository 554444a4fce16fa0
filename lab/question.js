/* What a lab with the small network asks: of which image, for which class, by which rule. */

import { cotangent } from "./creature_network.js";
import { theCreatures } from "./data.js";
import { menu } from "./elements.js";
import { saliency } from "./maps.js";

export class Question {
  static async ask(drawing) {
    return new Question(await theCreatures(), drawing);
  }

  constructor(creatures, drawing) {
    Object.assign(this, creatures);
    this.choose(drawing);
    this.target = drawing;
  }

  choose(drawing) {
    this.drawing = drawing;
    this.show(this.drawings[drawing]);
  }

  /* Ask of another image. */
  show(image) {
    this.image = image;
    this.ran = null;
  }

  run() {
    this.ran ??= this.network.run(this.image);
    return this.ran;
  }

  get scores() {
    return this.run().scores;
  }

  get name() {
    return this.names[this.target];
  }

  /* w, or what another rule puts in its place. */
  gradient(rule = "backprop", target = this.target, watch = null) {
    return this.network.gradient(this.run(), cotangent(this.names.length, target), rule, watch);
  }

  map(rule, target, watch) {
    return saliency(this.gradient(rule, target, watch));
  }

  /* The score of the class that is asked for, of another image. */
  score(image) {
    return this.network.scores(image)[this.target];
  }

  drawingMenu(choose) {
    return menu("Drawing", this.names, this.drawing, (i) => {
      this.choose(i);
      choose();
    });
  }

  classMenu(choose, label = "Class asked for") {
    return menu(label, this.names, this.target, (i) => {
      this.target = i;
      choose();
    });
  }
}
