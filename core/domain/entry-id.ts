import type { EntryId } from "./entry.ts";

/** 128 random bits, 22 characters of base64url. */
export function newEntryId(randomBytes: (count: number) => Uint8Array): EntryId {
  return Buffer.from(randomBytes(16)).toString("base64url");
}
