// The check of rows in TypeScript and that in Lua accept the same, and what Redis reads is what
// everybody reads.
import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { isOdd, rejectable, sift } from "../../consumers/orders/sift.ts";
import { LIMITS } from "../domain/limits.ts";
import { rowProblem } from "../domain/row-check.ts";
import { buildLibrary } from "../stores/library.ts";
import { Bench } from "./testing.ts";

const RUNS = Number(process.env.PROPERTY_RUNS ?? 2_000);
/** Answers with the rows as Redis has read them, or the refusal. */
const PROBE = `
redis.register_function('probe_rows', function(keys, args)
  local rows = decode_rows(args[1], 0)
  for i = 1, #rows do rows[i][13], rows[i][14], rows[i][15], rows[i][16] = nil, nil, nil, nil end
  return cjson.encode(rows)
end)`;
const library = buildLibrary((source) => source + PROBE);
let bench: Bench;
beforeAll(async () => {
  bench = await Bench.open(library);
});
afterAll(async () => bench?.close());

async function read(body: string): Promise<unknown[][] | undefined> {
  const name = `probe_rows_${library.name.slice("sluice_".length)}`;
  try {
    const text = (await bench.redis.client.fcall(name, 0, body)) as string;
    return JSON.parse(text) as unknown[][];
  } catch (error) {
    if (!/^BADROW/.test((error as Error).message)) throw error;
    return undefined;
  }
}

const ID = "0199f0a0-1234-7abc-8def-0123456789ab";
const TRACE = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";
const SOUND: readonly (readonly unknown[])[] = [
  ["o", "u", ID, "f", 1, "s1", 3, "EUR", ["a", 1, "b", 2], "tok", "{}", 0],
  ["o", "u", ID, "f", 1, "s1", 0, "EUR", ["a", 1], "", "", 5, TRACE],
  ["s", "u", "", "", 1, "s1", 3],
  ["c", "u", ID, "", 1, "", 0],
  ["p", "u", ID, "", 1, "", 0, 1, 1, "captured", ""],
  ["r", "u", ID, "f", 1, "s1", 0, "EUR", ["a", 1], "", "", 0, 2],
  ["r", "u", ID, "f", 1, "s1", 0, "EUR", ["a", 1], "", "", 0, 2, TRACE],
  ["f", "u", ID, "", 1, "", 0, 1, 1, 2, "claim", "depot"],
];

/**
 * What stands where something else should: just within a limit, just beyond it, or of another kind.
 */
const edges = [
  ...Object.values(LIMITS).flatMap((limit) => [limit - 1, limit, limit + 1]),
  ...[
    0,
    -0,
    1,
    -1,
    2,
    0.5,
    Number.POSITIVE_INFINITY,
    1e15,
    2 ** 53,
    null,
    true,
    {},
    { a: 1 },
    [],
    [[]],
    "",
    "o",
    "é",
  ],
  ...[
    "x".repeat(64),
    "x".repeat(65),
    "a b",
    "a\n",
    "a\0",
    "\ud800",
    "💶",
    "-".repeat(36),
    ID.toUpperCase(),
  ],
  ...[`${ID}0`, ID.slice(1), TRACE.toUpperCase(), `${TRACE}0`, "done", "captured", "refused"],
  ...["x".repeat(LIMITS.MAX_TEXT_BYTES), "x".repeat(LIMITS.MAX_TEXT_BYTES + 1), "é".repeat(4_097)],
  ...[["a"], ["a", 1, "a", 2], ["a", 0], ["a", 1_001], ["", 1], ["a", "b"], ["a", 1.5], [1, 1]],
  ...[20, 21].map((n) => Array.from({ length: n }, (_, i) => [`i${i}`, 1]).flat()),
];
const edge = fc.oneof(fc.constantFrom(...edges), fc.jsonValue(), fc.string());

/** Both say the same of each of these rows. */
async function expectAlike(rows: readonly unknown[][]): Promise<void> {
  const bodies = rows.map((row) => textOf([row]));
  const accepted = await Promise.all(bodies.map(read));
  bodies.forEach((body, i) => {
    const sound = rowProblem(JSON.parse(body)[0]) === undefined;
    expect([body.slice(0, 200), accepted[i] !== undefined]).toEqual([body.slice(0, 200), sound]);
  });
}

/** A sound row with some fields exchanged, some left out, some behind. */
const arbitraryRow = fc
  .record({
    row: fc.constantFrom(...SOUND),
    changes: fc.array(fc.tuple(fc.nat(15), edge), { maxLength: 2 }),
    length: fc.option(fc.nat(16), { freq: 8 }),
  })
  .map(({ row, changes, length }) => {
    const changed = [...row];
    for (const [at, value] of changes) if (at <= changed.length) changed[at] = value;
    return length === null ? changed : changed.slice(0, length);
  });

/** As JSON.stringify does, but Infinity and −0 stay what they are. */
function textOf(value: unknown): string {
  if (value === Number.POSITIVE_INFINITY) return "1e999";
  if (Object.is(value, -0)) return "-0";
  return Array.isArray(value) ? `[${value.map(textOf).join(",")}]` : JSON.stringify(value);
}

test("TypeScript and Lua accept exactly the same rows, those of every kind among them", async () => {
  for (const row of SOUND) {
    expect(rowProblem(row)).toBeUndefined();
    expect(await read(JSON.stringify([row]))).toHaveLength(1);
  }
  for (const row of SOUND) {
    for (let at = 0; at <= row.length; at++)
      await expectAlike(edges.map((e) => [...row.slice(0, at), e, ...row.slice(at + 1)]));
  }
  await fc.assert(
    fc.asyncProperty(arbitraryRow, async (row) => {
      const body = textOf([row]);
      expect((await read(body)) !== undefined).toBe(rowProblem(JSON.parse(body)[0]) === undefined);
    }),
    { numRuns: RUNS },
  );
}, 120_000);

const TOKENS = [
  ...["0x1", "NaN", "Infinity", "-inf", "01", "1.", "-.5", "0.", "1.e0", "1e0", "-0", "1E+0", "+1"],
  ...[
    '"a\nb"',
    '"a\tb"',
    '"\\u0000"',
    '"\\ud800"',
    '"\\ud83d\\udcb6"',
    '"\\/"',
    '"\\x"',
    "\t1",
    "1\r",
  ],
  ...[
    "null",
    "nul",
    "true",
    "{}",
    '{"a":1,"a":2}',
    "[",
    "]",
    '"',
    "",
    " ",
    "\0",
    "\u007f",
    '"\u0001"',
  ],
  ...["[".repeat(1_100) + "]".repeat(1_100), "1e999", "9".repeat(400), "\ufffd", '"\ufeff"'],
];

test("what Redis reads without a warning, JSON.parse reads the same; the rest is never sent to it", async () => {
  const text = fc
    .record({
      row: fc.constantFrom(...SOUND),
      tokens: fc.array(fc.tuple(fc.nat(13), fc.constantFrom(...TOKENS)), { maxLength: 2 }),
      around: fc.constantFrom(
        ["[", "]"],
        ["[", "]"],
        [" [", "]"],
        ["[", "] "],
        ["", ""],
        ["{", "}"],
      ),
    })
    .map(({ row, tokens, around: [before, behind] }) => {
      const parts = row.map((value) => JSON.stringify(value));
      for (const [at, token] of tokens) if (at <= parts.length) parts[at] = token;
      return `${before}[${parts.join(",")}]${behind}`;
    });
  await fc.assert(
    fc.asyncProperty(text, async (body) => {
      if (isOdd(body)) return; // sifted before it is sent
      const rows = await read(body);
      const { body: kept, dead } = sift(body);
      expect(rows !== undefined).toBe(dead === undefined && kept === body);
      if (rows) expect(rows).toEqual(JSON.parse(body).map((row: unknown[]) => row.slice(0, 12)));
    }),
    { numRuns: RUNS },
  );
}, 120_000);

test("whatever is put in the place of an order that cannot be decided can be recorded", async () => {
  const named = arbitraryRow
    .map((row) => ["o", "u", ID, ...row.slice(3)])
    .filter((row) => rowProblem(row) !== undefined);
  await fc.assert(
    fc.asyncProperty(named, async (row) => {
      expect(await read(JSON.stringify([rejectable(row)]))).toHaveLength(1);
    }),
    { numRuns: RUNS / 4 },
  );
}, 120_000);
