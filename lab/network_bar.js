/* How far the network has come, in a line; and the question whether it may, where bytes are paid for. */

import { button, element } from "./elements.js";

export function networkBar(network) {
  const { megabytes } = network.manifest;
  const bar = element("progress", { max: 1, value: 0, "aria-label": "Loading the network" });
  const line = element("span", { role: "status" });
  const agree = button(`Load it (${megabytes} MB)`, () => network.wish(true));
  const body = element("div", { class: "lab-network lab-note" }, line, bar, agree);
  const said = {
    absent: `Prepared. The network itself (${megabytes} MB) comes when you touch the photo, and your browser keeps it.`,
    asking: `This needs the network, ${megabytes} MB, on a connection that may cost you.`,
    loading: `The network comes: ${megabytes} MB, once.`,
    ready: "The network runs in this page. Nothing is sent anywhere.",
  };
  return {
    body,
    show() {
      const text = said[network.stage] ?? `The network could not be loaded: ${network.error}.`;
      if (line.textContent !== text) line.textContent = text;
      bar.hidden = network.stage !== "loading";
      bar.value = network.share;
      agree.hidden = !["asking", "failed"].includes(network.stage);
      agree.textContent = network.stage === "failed" ? "Try again" : `Load it (${megabytes} MB)`;
    },
  };
}
