/* Photos: from the package, from the reader; and each made 224 pixels wide and high as the package does it. */

export const PHOTO_SIDE = 224;
export const PHOTO_AREA = PHOTO_SIDE * PHOTO_SIDE;
const MOST_PIXELS = 80e6;
const LARGE = 3000;

/* The pixels of a picture's address, (3, 224, 224) in [0, 1], unchanged: it has that size. */
export async function exactly(address) {
  const picture = new Image();
  picture.src = address;
  await picture.decode();
  return tensor(pixelsOf(picture, PHOTO_SIDE, PHOTO_SIDE), PHOTO_SIDE);
}

/* A file of the reader's. Throws an Error that says in one sentence what is wrong with it. */
export async function fromFile(file) {
  const name = file.name || "The picture";
  if (/heic|heif/i.test(`${file.type} ${name}`)) {
    return decoded(file, `${name} is a HEIC photo, which this browser does not read: save it as JPEG first.`);
  }
  if (file.type && !file.type.startsWith("image/")) throw new Error(`${name} is no picture.`);
  return decoded(file, `${name} could not be read as a picture.`);
}

async function decoded(file, complaint) {
  const picture = new Image();
  const address = URL.createObjectURL(file);
  try {
    picture.src = address;
    await picture.decode().catch(() => {
      throw new Error(complaint);
    });
    return window224(picture, picture.naturalWidth, picture.naturalHeight);
  } finally {
    URL.revokeObjectURL(address);
  }
}

/* The largest centered square of a picture, resized. */
export function window224(picture, width, height) {
  if (!width || !height) throw new Error("The picture is empty.");
  if (width * height > MOST_PIXELS) {
    throw new Error(`The photo has ${Math.round((width * height) / 1e6)} million pixels, and the most is 80 million: `
      + "make it smaller first.");
  }
  const shrink = Math.min(1, LARGE / Math.max(width, height));
  const [w, h] = [Math.max(1, Math.round(width * shrink)), Math.max(1, Math.round(height * shrink))];
  const side = Math.min(w, h);
  const rows = resample(pixelsOf(picture, w, h), w, h, (w - side) / 2, (h - side) / 2, side);
  return tensor(rows, PHOTO_SIDE);
}

function pixelsOf(picture, width, height) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(picture, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

function tensor(pixels, side) {
  const count = side * side;
  return Float32Array.from({ length: 3 * count }, (_, i) => pixels[4 * (i % count) + Math.floor(i / count)] / 255);
}

/* Bicubic with anti-aliasing, as Pillow does it: along the rows, rounded, and then along the columns. */
function resample(pixels, width, height, x0, y0, side) {
  const [across, down] = [weights(width, x0, side), weights(height, y0, side)];
  const narrow = new Uint8ClampedArray(PHOTO_SIDE * height * 4);
  for (let y = 0; y < height; y++) {
    across.forEach(({ first, shares }, x) => {
      mix(pixels, 4 * (y * width + first), 4, shares, narrow, 4 * (y * PHOTO_SIDE + x));
    });
  }
  const result = new Uint8ClampedArray(PHOTO_SIDE * PHOTO_SIDE * 4);
  down.forEach(({ first, shares }, y) => {
    for (let x = 0; x < PHOTO_SIDE; x++) {
      mix(narrow, 4 * (first * PHOTO_SIDE + x), 4 * PHOTO_SIDE, shares, result, 4 * (y * PHOTO_SIDE + x));
    }
  });
  return result;
}

function mix(from, start, step, shares, to, place) {
  for (let c = 0; c < 3; c++) {
    let sum = 0.5;
    for (let i = 0, at = start + c; i < shares.length; i++, at += step) sum += shares[i] * from[at];
    to[place + c] = Math.floor(sum);
  }
}

/* For each of the 224 results: which pixels of a row it is made of, and how much of each. */
function weights(size, start, length) {
  const scale = length / PHOTO_SIDE;
  const stretch = Math.max(1, scale);
  return Array.from({ length: PHOTO_SIDE }, (_, i) => {
    const center = start + (i + 0.5) * scale;
    const first = Math.max(0, Math.floor(center - 2 * stretch + 0.5));
    const beyond = Math.min(size, Math.floor(center + 2 * stretch + 0.5));
    const shares = Array.from({ length: beyond - first }, (_, k) => cubic((first + k - center + 0.5) / stretch));
    const sum = shares.reduce((a, b) => a + b);
    return { first, shares: shares.map((share) => share / sum) };
  });
}

function cubic(distance) {
  const x = Math.abs(distance);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}
