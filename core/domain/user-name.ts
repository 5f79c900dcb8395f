// A user's name within Sluice, derived from the subject of a token.
//
// Identity providers name users with characters that Redis keys, rows and the ledger's text do not
// take ("auth0|5f7c…", "f:3f1d…:maria", "maria+shop@example.com"). A subject that is a plain name
// (NAME_PATTERN) is its own name. Any other becomes "@" and its bytes, those other than letters,
// digits, "." and "-" as "_" and two hex digits. One too long for that becomes "@@" and its
// SHA-256. Plain names do not begin with "@", and an "@" within a subject is written as "_40", so
// no two subjects share a name.
import { NAME_PATTERN } from "./order.ts";

/** Bytes of a subject. */
export const MAX_SUBJECT_BYTES = 255;
/** For answers to who names a user. */
export const USER_RULE = `a token's sub: 1 to ${MAX_SUBJECT_BYTES} bytes, no control characters`;
const MAX_NAME = 64;
const HASHED = /^@@[\w-]{43}$/;
/** No subject of a person or a machine has these. */
const CONTROL = /\p{Cc}|\p{Cs}/u;

/** What rows may have as their user (core/domain/row-check.ts): each name made here is of this. */
export const USER_NAME = /^[A-Za-z0-9._@-]{1,64}$/;

export const isUserName = (value: unknown): value is string =>
  typeof value === "string" && USER_NAME.test(value);

/** The name of a token's subject; undefined if no user may be called this. */
export function nameOfSubject(subject: string): string | undefined {
  if (NAME_PATTERN.test(subject)) return subject;
  if (subject === "" || subject.length > MAX_SUBJECT_BYTES || CONTROL.test(subject))
    return undefined;
  const bytes = Buffer.from(subject, "utf8");
  if (bytes.byteLength > MAX_SUBJECT_BYTES) return undefined;
  const name = `@${bytes.toString("latin1").replaceAll(/[^A-Za-z0-9.-]/g, escapeByte)}`;
  return name.length <= MAX_NAME ? name : `@@${sha256(bytes)}`;
}

/**
 * The name of a user whom a service or an operator names: by the subject, or, if that is too long
 * to be read from the name, by the name that Sluice shows instead.
 */
export function nameOfUser(text: string): string | undefined {
  return text.startsWith("@@") && HASHED.test(text) ? text : nameOfSubject(text);
}

/** What people are shown: the subject, or the name itself where it is a hash. */
export function subjectOf(name: string): string {
  if (!name.startsWith("@") || name.startsWith("@@")) return name;
  const bytes = name.slice(1).replaceAll(/_([0-9a-f]{2})/g, unescapeByte);
  return Buffer.from(bytes, "latin1").toString("utf8");
}

function escapeByte(byte: string): string {
  return `_${byte.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

function unescapeByte(_: string, hex: string): string {
  return String.fromCharCode(Number.parseInt(hex, 16));
}

function sha256(bytes: Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("base64url");
}
