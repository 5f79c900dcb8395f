// Webhook signatures as defined by Standard Webhooks (standardwebhooks.com): HMAC-SHA256 over id,
// time and body. The time is signed too, so an intercepted webhook cannot be repeated forever.
import { createHmac, timingSafeEqual } from "node:crypto";

export const ID_HEADER = "webhook-id";
export const TIMESTAMP_HEADER = "webhook-timestamp";
export const SIGNATURE_HEADER = "webhook-signature";

export interface SignedHeaders {
  readonly id: string | undefined;
  readonly timestamp: string | undefined;
  readonly signature: string | undefined;
}

/** Bounds the difference of the clocks plus the time under way, s. */
const TOLERANCE_S = 300;
/** Further ones are ignored. A sender that is rolling a secret sends two. */
const MAX_SIGNATURES = 8;
/** Bounded because ids are remembered (gateway/http/webhook.ts). */
const MAX_ID = 200;
const PREFIX = "whsec_";
const MAC_BYTES = 32;

/** The key of a shared secret: `whsec_` and base64, or any other text as it is. */
export function webhookKey(secret: string): Buffer {
  return secret.startsWith(PREFIX)
    ? Buffer.from(secret.slice(PREFIX.length), "base64")
    : Buffer.from(secret);
}

/** A secret of these bytes, as Standard Webhooks writes it. */
export function webhookSecretOf(bytes: Buffer): string {
  return PREFIX + bytes.toString("base64");
}

/** Whether a text can be a secret: after `whsec_` it must be base64. */
export function isWebhookSecret(secret: string): boolean {
  if (!secret.startsWith(PREFIX)) return secret !== "";
  const encoded = secret.slice(PREFIX.length).replace(/=+$/, "");
  return encoded !== "" && webhookKey(secret).toString("base64").replace(/=+$/, "") === encoded;
}

/** The headers of a webhook, with one signature per secret. */
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

/** `late`: signed by one of the keys, but too old or too far ahead. */
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

/** The MAC of a signature; signatures of other versions are ignored. */
function macGiven(signature: string): Buffer[] {
  if (!signature.startsWith("v1,")) return [];
  const bytes = Buffer.from(signature.slice("v1,".length), "base64");
  return bytes.length === MAC_BYTES ? [bytes] : [];
}

function mac(id: string, timestamp: string, body: string, key: Buffer): Buffer {
  return createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest();
}
