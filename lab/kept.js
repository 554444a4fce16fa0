/* The things used last, by their names: what is longest unused goes. */

export class Kept {
  constructor(most) {
    this.most = most;
    this.things = new Map();
  }

  has(name) {
    return this.things.has(name);
  }

  get(name) {
    const thing = this.things.get(name);
    if (thing !== undefined) this.set(name, thing);
    return thing;
  }

  set(name, thing) {
    this.things.delete(name);
    this.things.set(name, thing);
    if (this.things.size > this.most) this.things.delete(this.things.keys().next().value);
  }
}
