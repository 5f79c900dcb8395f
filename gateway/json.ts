// Reads JSON from outside: parsed once, refused when nested too deeply or when an object names a member twice.
//
// JSON.parse keeps the last of two equal members and says nothing, so that two readers of one text could see two different orders. The text
// holds as many name–value pairs as it has colons outside strings; if the parsed value holds fewer, some name came twice.
import { echo, Problem, problem } from "./problem.ts";

/** An order needs 3, its metadata a few more. */
export const MAX_DEPTH = 32;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const NOT_UTF8 = "�";

/** The value, or why the text is refused. */
export function readJson(text: string): unknown {
  if (text.includes(NOT_UTF8)) return problem("malformed", undefined, "the text is not UTF-8");
  const pairs = countPairs(text);
  if (pairs < 0) return problem("too_deep", undefined, `at most ${MAX_DEPTH} levels`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return problem("malformed");
  }
  return countMembers(value) === pairs ? value : new Problem("duplicate_key", duplicateKey(text));
}

/** Colons outside strings; −1 when nested too deeply. Text that is no JSON gives some number, and fails in JSON.parse. */
function countPairs(text: string): number {
  let pairs = 0;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) i = endOfString(text, i);
    else if (c === COLON) pairs++;
    else if ((c | 0x20) === 0x7b) {
      if (++depth > MAX_DEPTH) return -1; // { or [
    } else if ((c | 0x20) === 0x7d) depth--; // } or ]
  }
  return pairs;
}

/** Where the string that opens at `at` closes. */
function endOfString(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) return i;
    if (c === BACKSLASH) i++;
  }
  return text.length;
}

function countMembers(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) count += countMembers(value[i]);
    return count;
  }
  for (const key in value) {
    const member = (value as Record<string, unknown>)[key];
    count += typeof member === "object" && member !== null ? 1 + countMembers(member) : 1;
  }
  return count;
}

/** The first name that an object of this (well-formed) text has twice. */
function duplicateKey(text: string): string {
  const open: Set<string>[] = [];
  let last = "";
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '"') {
      const end = endOfString(text, i);
      last = text.slice(i, end + 1);
      i = end;
    } else if (c === "{" || c === "[") open.push(new Set());
    else if (c === "}" || c === "]") open.pop();
    else if (c === ":") {
      const names = open.at(-1);
      const name = JSON.parse(last) as string;
      if (names?.has(name)) return echo(name);
      names?.add(name);
    }
  }
  return "";
}
