// Secrets of this machine: each is made once, at random, and kept in a file that only its user may
// read. A start that is killed, or a full disk, leaves no half of one.
import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { realRuntime } from "../core/runtime/runtime.ts";

const OWNER_ONLY = 0o600;

/** `made`: its text from random bytes, where it has another form than base64url. */
export function secretIn(file: string, bytes: number, made = plainSecret): string {
  const kept = existsSync(file) ? readFileSync(file, "utf8") : "";
  if (kept !== "") return kept;
  const secret = made(Buffer.from(realRuntime.randomBytes(bytes)));
  writeWhole(file, secret);
  return secret;
}

const plainSecret = (bytes: Buffer): string => bytes.toString("base64url");

/** The file has the whole text, or is as it was. */
export function writeWhole(file: string, text: string): void {
  const half = `${file}.new`;
  writeFileSync(half, text, { mode: OWNER_ONLY });
  chmodSync(half, OWNER_ONLY);
  renameSync(half, file);
}
