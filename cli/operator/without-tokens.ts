// A dead letter's body as people may see it: payment tokens are never shown, in whatever form an
// order has them. What is sent again is the message itself, with its token.
import { row0 } from "../../core/domain/rows-v0.ts";

const HIDDEN = "(hidden)";
/** In text that is no JSON. */
const TOKEN_IN_TEXT = /("payment"\s*:\s*)"(?:[^"\\]|\\.)*("|$)/g;

/** `body`: parsed JSON, or text. */
export function withoutTokens(body: unknown): unknown {
  if (typeof body === "string") return body.replaceAll(TOKEN_IN_TEXT, `$1"${HIDDEN}"`);
  const named = Array.isArray(body) ? body.map((row) => row0(row) ?? row) : body;
  return JSON.parse(JSON.stringify(named), (key, value) =>
    key === "payment" ? hidden(value) : value,
  ) as unknown;
}

/** A value, or a column of a message. */
function hidden(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(hidden);
  return value === "" ? "" : HIDDEN;
}
