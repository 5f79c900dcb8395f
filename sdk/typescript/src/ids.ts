// Order ids: UUIDv7 in lower case (RFC 9562 §5.7). The first 48 bits are the time in Unix ms, by
// which gateways refuse ids that are too old or ahead.
import { randomBytes } from "./platform.ts";

const TIME_BYTES = 6;

export function uuidV7(atMs: number): string {
  const bytes = randomBytes(16);
  let rest = Math.floor(atMs);
  for (let i = TIME_BYTES - 1; i >= 0; i--) {
    bytes[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const [a, b, c, d] = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
  return `${a}-${b}-${c}-${d}-${hex.slice(20)}`;
}
