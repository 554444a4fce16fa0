/* The ImageNet network in onnxruntime-web: in a worker where the browser gives one, else in the page itself. */

import { forget, load } from "./data.js";
import { decode, inflate, interleave } from "./packing.js";

export const RULES_BY_GATE = { backprop: [0, 1], deconvnet: [1, 0], guided: [0, 0] };

/* What runs in the worker: it is written there from its own text, so it uses nothing from outside. */
function engine(scope) {
  let ort = null;
  let session = null;
  let seen = null;

  async function prepare({ runtime }) {
    const address = URL.createObjectURL(new Blob([runtime], { type: "text/javascript" }));
    ort = await import(address);
    // A host that isolates its pages (COOP and COEP headers) lets them share memory among threads, which begin there.
    ort.env.wasm.numThreads = scope.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
    if (ort.env.wasm.numThreads === 1) URL.revokeObjectURL(address);
  }

  async function start({ wasm, network }) {
    ort.env.wasm.wasmBinary = wasm;
    // Without an arena, which would keep up to twice of what it needs.
    const options = { executionProviders: ["wasm"], graphOptimizationLevel: "all", enableCpuMemArena: false };
    session = await ort.InferenceSession.create(network, options);
    ort.env.wasm.wasmBinary = undefined;
  }

  /* Scores, class activation maps and, with a cotangent, the gradient. Another question about the image that was
     differentiated last costs the way back only. */
  async function answer({ image, cotangent, gates }) {
    const again = seen?.image.every((value, i) => value === image[i]) ?? false;
    const found = again && !cotangent ? {} : await pass({ image, cotangent, gates }, again);
    const { scores, cams, open } = again ? seen : found;
    if (cotangent) seen = { image, scores, cams, open };
    // Copies, because what is handed over is gone here.
    return { scores: scores.slice(), cams: cams.slice(), gradient: cotangent ? found.gradient : null };
  }

  async function pass({ image, cotangent, gates }, again) {
    const one = (value) => new ort.Tensor("float32", Float32Array.of(value), [1]);
    const known = again ? seen.open : new Uint8Array(0);
    const results = await session.run({
      image: new ort.Tensor("float32", image, [1, 3, 224, 224]),
      cotangent: new ort.Tensor("float32", cotangent ?? new Float32Array(1000), [1, 1000]),
      gate: one(gates?.[0] ?? 0),
      slope: one(gates?.[1] ?? 1),
      wanted: new ort.Tensor("bool", Uint8Array.of(cotangent ? 1 : 0), []),
      known: new ort.Tensor("bool", known, [known.length]),
    });
    return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data]));
  }

  const does = { prepare, start, answer };
  scope.onmessage = async ({ data }) => {
    try {
      const result = await does[data.kind](data);
      const parts = Object.values(result ?? {}).filter(Boolean).map(({ buffer }) => buffer);
      scope.postMessage({ id: data.id, result }, parts);
    } catch (error) {
      scope.postMessage({ id: data.id, error: String(error?.message ?? error) });
    }
  };
}

/* Messages to the engine, answered one after the other. */
class Line {
  constructor() {
    this.waiting = new Map();
    this.number = 0;
  }

  receive({ id, result, error }) {
    const { resolve, reject } = this.waiting.get(id) ?? {};
    this.waiting.delete(id);
    if (error) reject?.(new Error(error));
    else resolve?.(result);
  }

  ask(message) {
    const id = this.number++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.send({ ...message, id });
    });
  }

  inWorker() {
    const source = new Blob([`(${engine})(self);`], { type: "text/javascript" });
    const worker = new Worker(URL.createObjectURL(source));
    worker.onmessage = ({ data }) => this.receive(data);
    worker.onerror = (event) => {
      for (const { reject } of this.waiting.values()) reject(new Error(event.message || "the worker did not start"));
      this.waiting.clear();
    };
    // The large files are handed over, not copied: the page would keep its copy for long.
    this.send = (message) => {
      const large = message.kind === "start" ? [message.wasm.buffer, message.network.buffer] : [];
      worker.postMessage(message, large);
    };
    this.where = "worker";
    return this;
  }

  inPage() {
    const scope = { postMessage: (data) => this.receive(data) };
    engine(scope);
    this.send = (data) => scope.onmessage({ data });
    this.where = "page";
    return this;
  }
}

/* The network, ready to answer; `progress(share)` is told how much of it has come. */
export async function imagenet(manifest, progress) {
  const total = Object.values(manifest.parts).flat().reduce((a, b) => a + b);
  let come = 0;
  const whole = async (name) => {
    const pieces = [];
    for (const [i, letters] of manifest.parts[name].entries()) {
      pieces.push(decode(await load(`${name}-${i}`)));
      forget(`${name}-${i}`);
      come += letters;
      progress(come / total);
    }
    return inflate(pieces);
  };
  const line = await prepared(new TextDecoder().decode(await whole("runtime")));
  const network = interleave(await whole("network"), manifest.bytes);
  await line.ask({ kind: "start", wasm: await whole("wasm"), network });
  return line;
}

async function prepared(runtime) {
  for (const place of ["inWorker", "inPage"]) {
    try {
      const line = new Line()[place]();
      await line.ask({ kind: "prepare", runtime });
      return line;
    } catch (error) {
      if (place === "inPage") throw error;
      console.info(`The network runs in the page itself: ${error.message}`);
    }
  }
}
