// How the payment provider signs what it posts to the gateway: HMAC-SHA256 over `<unix seconds>.<body>`, in a header
// `t=<unix seconds>,v1=<hex>`. The time is signed too, so that an old webhook cannot be sent again for ever.
import { createHmac, timingSafeEqual } from "node:crypto";

export const SIGNATURE_HEADER = "payment-signature";
/** Clocks may be this far apart, and a webhook this long under way, s. */
const TOLERANCE_S = 300;

export function signWebhook(body: string, secret: string, nowMs: number): string {
  const t = Math.floor(nowMs / 1_000);
  return `t=${t},v1=${mac(`${t}.${body}`, secret)}`;
}

/** `late`: rightly signed, but too long ago or ahead of time. */
export function checkWebhook(
  header: string | null,
  body: string,
  secret: string,
  nowMs: number,
): "good" | "forged" | "late" {
  const match = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header ?? "");
  if (!match) return "forged";
  const [, t = "", given = ""] = match;
  const wanted = mac(`${t}.${body}`, secret);
  if (!timingSafeEqual(Buffer.from(given, "hex"), Buffer.from(wanted, "hex"))) return "forged";
  return Math.abs(nowMs / 1_000 - Number(t)) <= TOLERANCE_S ? "good" : "late";
}

function mac(text: string, secret: string): string {
  return createHmac("sha256", secret).update(text).digest("hex");
}
