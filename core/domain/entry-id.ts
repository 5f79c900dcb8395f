import type { EntryId } from "./entry.ts";

/** 128 random bits, 22 characters of base64url. */
export function newEntryId(): EntryId {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64url");
}
