/* What the exporter laid beside this script: each file is a script itself, for a page opened from a disk loads no other. */

import { creatureNetwork, PIXELS } from "./creature_network.js";
import { decode, unpack } from "./packing.js";

const BASE = document.currentScript.src.replace(/[^/]*$/, "");
const loading = new Map();

/* The data that script `NAME.js` holds; loaded once, and again only after a failure. */
export function load(name) {
  if (!loading.has(name)) {
    const arrived = new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `${BASE}${name}.js`;
      script.onload = script.onerror = ({ type }) => {
        script.remove();
        const data = globalThis.labData?.[name];
        delete globalThis.labData?.[name];
        if (data) return resolve(data);
        loading.delete(name);
        // A host may answer with its start page, or break off: a browser calls that loaded.
        reject(new Error(`${name}.js ${type === "load" ? "came as something else, or not whole" : "could not be loaded"}`));
      };
      document.head.append(script);
    });
    loading.set(name, arrived);
  }
  return loading.get(name);
}

export function forget(name) {
  loading.delete(name);
}

/* What there is to know before the ImageNet network is loaded: its classes, the photos, and how large its parts are. */
export async function theManifest() {
  const manifest = await load("imagenet");
  return { ...manifest, colors: decode(manifest.colors) };
}

let creatures = null;

/* The small network, its classes, and one drawing of each class (3, 64, 64) with values in [0, 1]. */
export function theCreatures() {
  creatures ??= load("creatures").then(async (data) => {
    const pixels = await unpack(data.drawings);
    const drawings = data.names.map((_, i) =>
      Float32Array.from(pixels.subarray(i * 3 * PIXELS, (i + 1) * 3 * PIXELS), (value) => value / 255));
    return { ...data, network: await creatureNetwork(data), drawings, colors: decode(data.colors) };
  });
  creatures.catch(() => (creatures = null));
  return creatures;
}
