/* The ImageNet network as it comes: not asked for yet, asked about, on its way, here, or not to be had. */

import { imagenet } from "./engine.js";

export class LargeNetwork {
  /* `changed()` is called whenever something is to be told; `arrived()` when it can be asked. */
  constructor(manifest, { changed, arrived }) {
    Object.assign(this, { manifest, changed, arrived, stage: "absent", share: 0, error: "", engine: null });
  }

  /* Somebody needs it. On a connection that is paid by the byte it comes only when that was `agreed` to. */
  async wish(agreed = false) {
    if (this.stage === "loading" || this.stage === "ready" || (this.stage === "failed" && !agreed)) return;
    if (!agreed && metered()) return this.tell("asking");
    this.tell("loading");
    try {
      this.engine = await imagenet(this.manifest, (share) => {
        this.share = share;
        this.changed();
      });
      performance.mark("network");
      this.tell("ready");
      this.arrived();
    } catch (error) {
      this.error = error.message;
      this.tell("failed");
    }
  }

  tell(stage) {
    this.stage = stage;
    this.changed();
  }
}

function metered() {
  const { saveData, type } = navigator.connection ?? {};
  return Boolean(saveData) || type === "cellular";
}
