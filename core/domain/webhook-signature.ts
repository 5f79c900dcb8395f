// Webhooks as Standard Webhooks signs them (standardwebhooks.com): HMAC-SHA256 over id, time and
// body. The time is signed too, so that a webhook that was overheard cannot be sent again for ever.
import { createHmac, timingSafeEqual } from "node:crypto";

export const ID_HEADER = "webhook-id";
export const TIMESTAMP_HEADER = "webhook-timestamp";
export const SIGNATURE_HEADER = "webhook-signature";

export interface SignedHeaders {
  readonly id: string | undefined;
  readonly timestamp: string | undefined;
  readonly signature: string | undefined;
}

/** Clocks may be this far apart, and a webhook this long under way, s. */
const TOLERANCE_S = 300;
/** More are not looked at. Whoever rolls a secret sends two. */
const MAX_SIGNATURES = 8;
/** Ids are remembered (gateway/http/webhook.ts), so they are bounded. */
const MAX_ID = 200;
const PREFIX = "whsec_";
const MAC_BYTES = 32;

/** A secret as it is shared: `whsec_` and base64, or any other text, which counts as it stands. */
export function webhookKey(secret: string): Buffer {
  return secret.startsWith(PREFIX)
    ? Buffer.from(secret.slice(PREFIX.length), "base64")
    : Buffer.from(secret);
}

/** Whether a secret that claims to be base64 is. */
export function isWebhookSecret(secret: string): boolean {
  if (!secret.startsWith(PREFIX)) return secret !== "";
  const encoded = secret.slice(PREFIX.length).replace(/=+$/, "");
  return encoded !== "" && webhookKey(secret).toString("base64").replace(/=+$/, "") === encoded;
}

/** The headers of a webhook, with one signature a secret. */
export function signWebhook(
  id: string,
  body: string,
  secrets: readonly string[],
  nowMs: number,
): Record<string, string> {
  const timestamp = String(Math.floor(nowMs / 1_000));
  const signatures = secrets.map(
    (secret) => `v1,${mac(id, timestamp, body, webhookKey(secret)).toString("base64")}`,
  );
  return {
    [ID_HEADER]: id,
    [TIMESTAMP_HEADER]: timestamp,
    [SIGNATURE_HEADER]: signatures.join(" "),
  };
}

/** `late`: rightly signed by one of the keys, but too long ago or ahead of time. */
export function checkWebhook(
  { id = "", timestamp = "", signature = "" }: SignedHeaders,
  body: string,
  keys: readonly Buffer[],
  nowMs: number,
): "good" | "forged" | "late" {
  if (id === "" || id.length > MAX_ID || !/^\d{1,12}$/.test(timestamp)) return "forged";
  const given = signature.split(" ", MAX_SIGNATURES).flatMap(macGiven);
  const signed = keys.some((key) => {
    const wanted = mac(id, timestamp, body, key);
    return given.some((candidate) => timingSafeEqual(candidate, wanted));
  });
  if (!signed) return "forged";
  return Math.abs(nowMs / 1_000 - Number(timestamp)) <= TOLERANCE_S ? "good" : "late";
}

/** Signatures of other versions are passed over. */
function macGiven(signature: string): Buffer[] {
  if (!signature.startsWith("v1,")) return [];
  const bytes = Buffer.from(signature.slice("v1,".length), "base64");
  return bytes.length === MAC_BYTES ? [bytes] : [];
}

function mac(id: string, timestamp: string, body: string, key: Buffer): Buffer {
  return createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest();
}
