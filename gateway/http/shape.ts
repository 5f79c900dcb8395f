// The shapes of bodies and queries off the hot path. One shape checks the request (`read`) and
// describes it in OpenAPI (openapi-shapes.ts). Order intake has a parser of its own
// (gateway/intake/check-order.ts).
import * as v from "valibot";
import { NAME_PATTERN, NAME_RULE } from "../../core/domain/order.ts";
import { UUID_V7 } from "../../core/domain/order-id.ts";
import { timeIn } from "../../core/domain/time-in.ts";
import { MAX_SUBJECT_BYTES, nameOfUser, USER_RULE } from "../../core/domain/user-name.ts";
import { isObject } from "../intake/check-order.ts";
import { echo, Problem, type ProblemCode, problem, Refused } from "./problem.ts";

export { optional } from "valibot";

export type Shape<T = unknown> = v.GenericSchema<unknown, T>;
/** What has been read by a shape. */
export type Read<S extends Shape> = v.InferOutput<S>;

/** The value as its shape has it; throws Refused. */
export function read<S extends Shape>(shape: S, value: unknown): Read<S> {
  const found = readOrProblem(shape, value);
  if ("problem" in found) throw new Refused(found.problem);
  return found.read;
}

export function readOrProblem<S extends Shape>(
  shape: S,
  value: unknown,
): { readonly read: Read<S> } | { readonly problem: Problem } {
  // With the first flaw alone, a body of flaws costs no more than any other.
  const result = v.safeParse(shape, value, { abortEarly: true });
  return result.success ? { read: result.output } : { problem: problemOf(result.issues[0]) };
}

/** All flaws, each once. For files of operators; a request gets the first only. */
export function flawsOf(shape: Shape, value: unknown): Problem[] {
  const flaws = new Map<string, Problem>();
  for (const issue of v.safeParse(shape, value).issues ?? []) {
    const flaw = problemOf(issue);
    const key = flaw.field ?? "";
    if (!flaws.has(key)) flaws.set(key, flaw);
  }
  return [...flaws.values()];
}

/** The message of a rule: what `problemOf` makes of it. */
const says = (code: ProblemCode, detail: string): string => `${code} ${detail}`;
const outOfRange = (detail: string): string => says("out_of_range", detail);

/** An object with these members and no others. */
export function object<const E extends v.ObjectEntries>(entries: E) {
  return v.pipe(
    v.unknown(),
    // First of all: a name with a typo is not a missing member.
    v.rawCheck(({ dataset: { value }, addIssue }) => {
      if (!isObject(value)) return addIssue({ message: says("wrong_type", "an object") });
      const unknown = Object.keys(value).find((key) => !Object.hasOwn(entries, key));
      if (unknown === undefined) return;
      const place = { input: value, key: echo(unknown), value: value[unknown] };
      addIssue({ message: UNKNOWN, path: [{ type: "object", origin: "key", ...place }] });
    }),
    v.strictObject(entries),
  );
}
const UNKNOWN = "unknown_field";

export const boolean = (description?: string) => v.pipe(v.boolean(), v.metadata({ description }));

/** An object of another program, which may have more members than these. */
export const open = <const E extends v.ObjectEntries>(entries: E) => v.looseObject(entries);

export function list<S extends Shape>(item: S, least: number, most: number, description?: string) {
  const rule = outOfRange(`${least} to ${most} entries`);
  // Counted first, so that no more entries than may be are looked at.
  const counted = v.pipe(v.array(v.unknown()), v.minLength(least, rule), v.maxLength(most, rule));
  return v.pipe(
    counted,
    v.array(item),
    v.minLength(least),
    v.maxLength(most),
    v.metadata({ description }),
  );
}

export const name = (description?: string) => matching(NAME_PATTERN, NAME_RULE, description);

export const matching = (pattern: RegExp, rule?: string, description?: string) =>
  v.pipe(
    v.string(),
    v.regex(pattern, outOfRange(rule ?? `must match ${pattern.source}`)),
    v.metadata({ description }),
  );

const MAX_TEXT = 200;
const CONTROLS = "\\u0000-\\u001f\\u007f-\\u009f";
const LINE = new RegExp(`^[^${CONTROLS}]*[^\\s${CONTROLS}][^${CONTROLS}]*$`);

/** Text for people: not blank, on one line. */
export function line(description?: string) {
  const rule = outOfRange(`1 to ${MAX_TEXT} characters on one line`);
  return v.pipe(
    v.string(),
    v.check((text) => isShort(text) && text.isWellFormed(), rule),
    v.regex(LINE, rule),
    v.metadata({ minLength: 1, maxLength: MAX_TEXT, description }),
  );
}

/** JSON Schema counts characters, and not the halves that some have in UTF-16. */
const isShort = (text: string): boolean =>
  text.length <= MAX_TEXT || (text.length <= 2 * MAX_TEXT && [...text].length <= MAX_TEXT);

/** Text as it is. `more`: what OpenAPI says of it. */
export const text = (more: Record<string, unknown> = {}) => v.pipe(v.string(), v.metadata(more));

/** Text in which a function finds the flaw, if there is one. */
export const flawless = (
  flawOf: (text: string) => string | undefined,
  more: Record<string, unknown>,
) =>
  v.pipe(
    v.string(),
    v.rawCheck(({ dataset, addIssue }) => {
      const flaw = dataset.typed ? flawOf(dataset.value) : undefined;
      if (flaw !== undefined) addIssue({ message: outOfRange(flaw) });
    }),
    v.metadata(more),
  );

/** An order's id, of any age. */
export const orderId = (description?: string) =>
  matching(UUID_V7, "a UUIDv7 in lower case", description);

/** A buyer, as Sluice names them inside. */
export function user(description: string) {
  const name = v.rawTransform<string, string>(({ dataset: { value }, addIssue, NEVER }) => {
    const known = nameOfUser(value);
    if (known !== undefined) return known;
    addIssue({ message: outOfRange(USER_RULE) });
    return NEVER;
  });
  const bounds = { minLength: 1, maxLength: MAX_SUBJECT_BYTES, pattern: `^[^${CONTROLS}]+$` };
  const bytes = `${description} At most ${MAX_SUBJECT_BYTES} bytes`;
  return v.pipe(v.string(), name, v.metadata({ ...bounds, description: bytes }));
}

export function whole(least: number, most: number, description?: string) {
  const rule = outOfRange(`a whole number from ${least} to ${most}`);
  return v.pipe(
    v.number(),
    v.integer(rule),
    v.minValue(least, rule),
    v.maxValue(most, rule),
    v.metadata({ description }),
  );
}

/** A whole number in a query. */
export function wholeText(least: number, most: number, description?: string) {
  const rule = outOfRange(`a whole number from ${least} to ${most}`);
  return v.pipe(
    v.string(),
    v.regex(DIGITS, rule),
    v.transform(Number),
    whole(least, most, description),
  );
}
const DIGITS = /^\d{1,16}$/;

/** An RFC 3339 time, as Unix ms. */
export const time = (description?: string) =>
  v.pipe(
    v.string(),
    v.check((text) => !Number.isNaN(timeIn(text)), outOfRange(TIME_RULE)),
    v.transform(timeIn),
    v.metadata({ format: "date-time", description }),
  );
const TIME_RULE = "an RFC 3339 time with a zone, such as 2027-01-31T10:00:00Z";

export function oneOf<const W extends readonly string[]>(
  words: W,
  { rule = words.join(", "), code = "out_of_range" as ProblemCode, description = "" } = {},
) {
  const shape = v.picklist(words, says(code, rule));
  return v.pipe(shape, v.metadata(description === "" ? {} : { description }));
}

/** What the value must be, by the kind of its shape. */
const KINDS: Readonly<Record<string, string>> = {
  string: "a string",
  picklist: "a string",
  number: "a number",
  boolean: "true or false",
  array: "an array",
  loose_object: "an object",
};

function problemOf(issue: v.BaseIssue<unknown>): Problem {
  const field = pathOf(issue);
  if (issue.message === UNKNOWN) return new Problem(UNKNOWN, field);
  const isMissing = issue.kind === "schema" && issue.path?.at(-1)?.origin === "key";
  if (isMissing) return new Problem("missing_field", field);
  const kind = issue.kind === "schema" ? KINDS[issue.type] : undefined;
  const isWord = issue.type === "picklist" && typeof issue.input === "string";
  const message = kind === undefined || isWord ? issue.message : says("wrong_type", kind);
  const [, code, detail] = /^(\S+) (.*)$/s.exec(message) ?? [];
  if (field === "" && code === "wrong_type") return problem("not_an_object");
  return new Problem(code as ProblemCode, field, detail);
}

/** `items[3].sku`. */
function pathOf({ path }: v.BaseIssue<unknown>): string {
  return (path ?? []).reduce((text, { key }) => {
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? String(key) : `${text}.${String(key)}`;
  }, "");
}
