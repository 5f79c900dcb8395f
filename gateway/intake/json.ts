// Reads untrusted JSON: parses it once, and refuses deep nesting and duplicate members.
//
// JSON.parse silently keeps the last of two equal members, so two readers of one text could see
// different orders. The text has as many members as colons outside strings. If the parsed value has
// fewer, a name was duplicated. Counting all colons is faster, and enough if that number equals the
// number of members.
import { echo, Problem, problem } from "../http/problem.ts";

/** An order needs 3 levels, its metadata a few more. */
export const MAX_DEPTH = 32;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const NOT_UTF8 = "�";

/** The value, or why the text is refused. */
export function readJson(text: string): unknown {
  if (text.includes(NOT_UTF8)) return problem("malformed", undefined, "the text is not UTF-8");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return problem("malformed");
  }
  const members = countMembers(value, 0);
  if (Number.isNaN(members)) return problem("too_deep", undefined, `at most ${MAX_DEPTH} levels`);
  if (countColons(text) === members || countPairs(text) === members) return value;
  return new Problem("duplicate_key", duplicateKey(text));
}

function countColons(text: string): number {
  let colons = 0;
  for (let i = text.indexOf(":"); i >= 0; i = text.indexOf(":", i + 1)) colons++;
  return colons;
}

/** Colons outside strings. */
function countPairs(text: string): number {
  let pairs = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) i = endOfString(text, i);
    else if (c === COLON) pairs++;
  }
  return pairs;
}

/** Where the string that starts at `at` ends. */
function endOfString(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) return i;
    if (c === BACKSLASH) i++;
  }
  return text.length;
}

/** Members of all objects in the value; NaN if nested too deeply. */
function countMembers(value: unknown, depth: number): number {
  if (typeof value !== "object" || value === null) return 0;
  if (depth === MAX_DEPTH) return Number.NaN;
  let count = 0;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) count += countMembers(value[i], depth + 1);
    return count;
  }
  for (const key in value) {
    const member = (value as Record<string, unknown>)[key];
    count +=
      typeof member === "object" && member !== null ? 1 + countMembers(member, depth + 1) : 1;
  }
  return count;
}

/** The first duplicate name in an object of this (well-formed) text. */
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
