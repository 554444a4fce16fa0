/* What takes long takes its turn: the last wish counts, those before it are dropped. */

export class Turns {
  constructor(status) {
    Object.assign(this, { status, last: 0, busy: Promise.resolve() });
  }

  /* Do it when what runs has ended, unless something else was wished for meanwhile. */
  wish(task, saying = "Computing …") {
    const mine = ++this.last;
    this.status.textContent = saying;
    this.busy = this.busy.then(async () => {
      if (mine !== this.last) return;
      try {
        await task();
        if (mine === this.last) this.status.textContent = "";
      } catch (error) {
        this.status.textContent = `${error.message.replace(/\.?$/, ".")} What was shown stays.`;
      }
    });
    return this.busy;
  }
}
