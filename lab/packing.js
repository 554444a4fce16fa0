/* From the text of a script to numbers: base64 of gzip, which a page opened from a disk may load as well. */

export function unpack(text) {
  return inflate([decode(text)]);
}

export function decode(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/* The bytes whose gzip comes in these pieces. */
export async function inflate(pieces) {
  const stream = new Blob(pieces).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/* So many bytes, sorted by their place in a four-byte number, which compresses better, in their order again. */
export function interleave(planes, length) {
  const bytes = new Uint8Array(planes.length);
  const count = planes.length / 4;
  for (let place = 0; place < 4; place++) {
    for (let i = 0, to = place, from = place * count; i < count; i++, to += 4) bytes[to] = planes[from + i];
  }
  return bytes.subarray(0, length);
}

/* Numbers of half precision (IEEE 754 binary16). */
export function halves(bytes) {
  const words = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
  return Float32Array.from(words, (word) => {
    const sign = word & 0x8000 ? -1 : 1;
    const exponent = (word >> 10) & 31;
    const fraction = word & 1023;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : (2 ** -14 * fraction) / 1024);
  });
}
