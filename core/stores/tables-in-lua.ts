// The tables that Lua shares with TypeScript: limits, rules, kinds of rows, and the fields of a
// message. The function library begins with this text.
import { FIELDS, type Field, KINDS, MESSAGE_VERSION, NIL_ID } from "../domain/fields.ts";
import { ANSWER_WORDS, LIMITS, PART_WORDS, RULES } from "../domain/limits.ts";
import { RATES_KEY, RETIRED_KEY, STOCK_PREFIX } from "./keys.ts";

/**
 * `KIND.skip` is the byte of a kind's letter. `FIELDS.seq` is a field's type, default, bound
 * (`most`), and the bytes of the kinds that may have another value (`of`). `ABSENT.seq` stands for
 * a column that a message lacks; message.lua fills it.
 */
export function tablesInLua(): string {
  const numbers = Object.entries({ ...LIMITS, ...RULES, MESSAGE_VERSION });
  return [
    "-- Made from core/domain/limits.ts and core/domain/fields.ts.",
    ...numbers.map(([name, value]) => `local ${name} = ${value}`),
    `local RATES_KEY = '${RATES_KEY}'`,
    `local RETIRED_NAME = '${RETIRED_KEY.slice(STOCK_PREFIX.length)}'`,
    `local NIL_ID = '${NIL_ID}'`,
    `local ANSWERS = ${setInLua(ANSWER_WORDS)}`,
    `local PART_WORDS = ${setInLua(PART_WORDS)}`,
    `local KIND = { ${Object.entries(KINDS).map(kindInLua).join(", ")} }`,
    `local KIND_BYTES = ${keysInLua(Object.values(KINDS))}`,
    "local FIELDS = {",
    ...Object.entries(FIELDS).map(([name, field]) => `  ${name} = ${fieldInLua(field)},`),
    "}",
    "local ZEROS, BLANKS = {}, {}",
    "local ABSENT = {",
    ...Object.entries(FIELDS).map(([name, field]) => `  ${name} = ${columnOf(field)},`),
    "}",
    "",
  ].join("\n");
}

function kindInLua([kind, letter]: [string, string]): string {
  return `${kind} = ${letter.charCodeAt(0)}`;
}

function fieldInLua({ type, default: value, most = 0, kinds }: Field): string {
  const shape = `type = '${type}', default = ${value === "" ? "''" : value}, most = ${most}`;
  return `{ ${shape}, of = ${keysInLua(kinds.map((kind) => KINDS[kind]))} }`;
}

/** The column of a message that lacks the field. */
function columnOf(field: Field): string {
  return field.default === "" ? "BLANKS" : "ZEROS";
}

function keysInLua(letters: readonly string[]): string {
  return `{ ${letters.map((letter) => `[${letter.charCodeAt(0)}] = true`).join(", ")} }`;
}

function setInLua(words: readonly string[]): string {
  return `{ ${words.map((word) => `${word} = true`).join(", ")} }`;
}
