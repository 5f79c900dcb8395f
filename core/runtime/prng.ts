/** A seeded source of numbers in [0, 1) (mulberry32): the same seed gives the same sequence. */
export function prng(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A UUIDv7 (RFC 9562 §5.7) for a given moment, its random bits from `random`. */
export function uuidV7(atMs: number, random: () => number): string {
  const time = Math.floor(atMs).toString(16).padStart(12, "0");
  const bits = (count: number) => Math.floor(random() * 2 ** count);
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, "0");
  const variant = hex(0x8000 | bits(14), 4);
  return (
    `${time.slice(0, 8)}-${time.slice(8)}-7${hex(bits(12), 3)}-` +
    `${variant}-${hex(bits(24), 6)}${hex(bits(24), 6)}`
  );
}
