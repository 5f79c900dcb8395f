// The check of messages in TypeScript and that in Lua accept the same, and what Redis reads is what
// everybody reads.
import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { isUnsafeForRedis, rejectable, sift } from "../../consumers/orders/sift.ts";
import { FIELD_NAMES, NIL_ID } from "../domain/fields.ts";
import { LIMITS } from "../domain/limits.ts";
import { allRows, messageText, NoMessage, type Rows, readMessage } from "../domain/message.ts";
import type { OrderRow, Row } from "../domain/row.ts";
import { firstProblem, rowProblem } from "../domain/row-check.ts";
import { buildLibrary } from "../stores/library.ts";
import { Bench, bodyOf, row } from "./testing.ts";

const RUNS = Number(process.env.PROPERTY_RUNS ?? 2_000);
const SLOW_MS = 120_000;
/** Answers with the columns as Redis has read them, defaults included, or with the refusal. */
const PROBE = `
redis.register_function('probe_message', function(keys, args)
  local orders = decode_orders(args[1], 0)
  local read = { count = orders.count, kinds = orders.kind or '' }
  read.sku, read.qty = orders.sku, orders.qty
  for name in pairs(FIELDS) do
    read[name] = {}
    for i = 1, orders.count do read[name][i] = orders[name][i] end
  end
  return cjson.encode(read)
end)`;
const library = buildLibrary((source) => source + PROBE);
let bench: Bench;
beforeAll(async () => {
  bench = await Bench.open(library);
});
afterAll(async () => bench?.close());

/** The columns as Redis has read them; undefined: refused. */
async function read(body: string): Promise<Rows | undefined> {
  const name = `probe_message_${library.name.slice("sluice_".length)}`;
  try {
    const text = (await bench.redis.client.fcall(name, 0, body)) as string;
    return { sku: [], qty: [], ...(JSON.parse(text) as Partial<Rows>) } as Rows;
  } catch (error) {
    if (!/^BADROW 0 -1 /.test((error as Error).message)) throw error;
    return undefined;
  }
}

/** What is wrong with a message by TypeScript's word; undefined: all of it can be decided. */
function problemOf(body: string): string | undefined {
  let rows: Rows;
  try {
    rows = readMessage(body);
  } catch (error) {
    if (error instanceof NoMessage) return error.message;
    throw error;
  }
  return rows.count > LIMITS.MAX_MESSAGE_ROWS ? "too many rows" : firstProblem(rows);
}

const ID = "0199f0a0-1234-7abc-8def-0123456789ab";
const TRACE = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";
const of = { user: "u", id: ID, generation: 1, atMs: 1 };
const part = { kind: "part", ...of, part: 1, of: 2, service: "depot" } as const;
const order = row("u", { a: 1, b: 2 }, { id: ID, seq: 3, payment: "tok", metadata: "{}", at: 1 });
const SOUND: readonly Row[] = [
  order,
  { ...row("u", { a: 1 }, { maxTotal: 5 }), trace: TRACE },
  row("v", { a: 1 }),
  { kind: "skip", user: "u", saleId: "s1", seq: 3, atMs: 1 },
  { kind: "cancel", user: "u", id: ID, atMs: 1 },
  { kind: "answer", ...of, attempt: 1, answer: "captured", detail: "" },
  { ...order, kind: "redrive", order: { ...order.order, seq: 0 }, generation: 2 },
  { ...part, report: "claim" },
  { ...part, report: "later", request: 3 },
];
const MESSAGES = [
  ...SOUND.map((one) => bodyOf(one)),
  messageText(SOUND),
  messageText([order, order]),
];

/** Just within a limit, just beyond it, or of another type. */
const edges: unknown[] = [
  ...Object.values(LIMITS).flatMap((limit) => [limit - 1, limit, limit + 1]),
  ...[0, -0, 1, -1, 2, 0.5, 1.000000000000001, Number.POSITIVE_INFINITY, 1e15, 2 ** 53],
  ...[null, true, {}, { a: 1 }, [], [[]], "", "a", "é", "5", "a b", "a\n", "a\0", "\ud800", "💶"],
  ...["x".repeat(64), "x".repeat(65), "-".repeat(36), ID, `${ID}0`, ID.slice(1)],
  ...[`u ${ID}`, `u ${ID.toUpperCase()}`, `u  ${ID}`, ` ${ID}`, `u ${ID} `, `u v ${ID}`],
  ...[`u ${NIL_ID}`, `${"x".repeat(64)} ${ID}`, `${"x".repeat(65)} ${ID}`, `u ${ID.slice(1)}0`],
  ...[TRACE, TRACE.toUpperCase(), `${TRACE}0`, "done", "later", "captured", "refused"],
  ...["x".repeat(LIMITS.MAX_TEXT_BYTES), "x".repeat(LIMITS.MAX_TEXT_BYTES + 1), "é".repeat(4_097)],
];
const COLUMNS = ["v", "kind", ...FIELD_NAMES, "sku", "qty", "price"];
type Columns = Record<string, unknown>;

/** As JSON.stringify does, but Infinity and −0 stay what they are. */
function textOf(value: unknown): string {
  if (value === Number.POSITIVE_INFINITY) return "1e999";
  if (Object.is(value, -0)) return "-0";
  if (Array.isArray(value)) return `[${value.map(textOf).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, v]) => `${JSON.stringify(name)}:${textOf(v)}`);
  return `{${members.join(",")}}`;
}

/** Both say the same of the message. */
async function expectAlike(columns: Columns): Promise<void> {
  const body = textOf(columns);
  const told = [body.slice(0, 600), problemOf(body)];
  const accepted = (await read(body)) !== undefined;
  expect([...told, accepted]).toEqual([...told, told[1] === undefined]);
}

test("sound rows of every kind are accepted, and read as they were written", async () => {
  for (const body of MESSAGES) {
    expect(problemOf(body)).toBeUndefined();
    const { kind: _, ...columns } = (await read(body)) as Rows & { kind?: string };
    expect(allRows(columns)).toEqual(allRows(readMessage(body)));
  }
});

test(
  "TypeScript and Lua accept the same values in every place of every column",
  async () => {
    for (const body of MESSAGES) {
      const sound = JSON.parse(body) as Columns;
      for (const name of COLUMNS) {
        const column = sound[name];
        const { [name]: ___, ...without } = sound;
        const changed: Columns[] = [without];
        for (const edge of edges) {
          changed.push({ ...sound, [name]: edge }, { ...sound, [name]: [edge] });
          if (!Array.isArray(column)) continue;
          const rest = column.slice(1);
          changed.push(
            { ...sound, [name]: [...rest, edge] },
            { ...sound, [name]: [edge, ...rest] },
          );
        }
        await Promise.all(changed.map(expectAlike));
      }
    }
  },
  SLOW_MS,
);

/** A message with some values exchanged, columns left out, added, cut, or of other lengths. */
const value = fc.oneof(fc.constantFrom(...edges), fc.jsonValue(), fc.string());
const mutation = fc.record({
  name: fc.constantFrom(...COLUMNS),
  at: fc.nat(10),
  what: fc.constantFrom("set", "set", "set", "drop", "cut", "add", "all"),
  value,
});

function mutated(
  sound: Columns,
  mutations: (typeof mutation extends fc.Arbitrary<infer T> ? T : never)[],
): Columns {
  const columns: Columns = { ...sound };
  for (const { name, at, what, value: other } of mutations) {
    const column = Array.isArray(columns[name]) ? [...columns[name]] : [];
    if (what === "set" && at < column.length) column[at] = other;
    if (what === "cut") column.length = Math.min(column.length, at);
    if (what === "add") column.push(other);
    columns[name] = what === "all" ? other : column;
    if (what === "drop") delete columns[name];
  }
  return columns;
}

test(
  "however a message's columns are damaged, TypeScript and Lua accept the same",
  async () => {
    const message = fc
      .tuple(fc.constantFrom(...MESSAGES), fc.array(mutation, { maxLength: 3 }))
      .map(([body, mutations]) => mutated(JSON.parse(body) as Columns, mutations));
    await fc.assert(fc.asyncProperty(message, expectAlike), { numRuns: 3 * RUNS });
  },
  SLOW_MS,
);

test("a message with more rows or bytes than Redis accepts in one call is refused", async () => {
  const many = (count: number) => messageText(Array.from({ length: count }, () => order));
  expect((await read(many(LIMITS.MAX_MESSAGE_ROWS)))?.count).toBe(LIMITS.MAX_MESSAGE_ROWS);
  expect(await read(many(LIMITS.MAX_MESSAGE_ROWS + 1))).toBeUndefined();
  expect(await read(`${" ".repeat(LIMITS.MAX_MESSAGE_BYTES)}{}`)).toBeUndefined();
});

const TOKENS = [
  ...["0x1", "NaN", "Infinity", "-inf", "01", "1.", "-.5", "0.", "1.e0", "1e0", "-0", "1E+0", "+1"],
  ...['"a\nb"', '"a\tb"', '"\\u0000"', '"\\ud800"', '"\\ud83d\\udcb6"', '"\\/"', '"\\x"'],
  ...["\t1", "1\r", "null", "nul", "true", "{}", '{"a":1,"a":2}', "[", "]", '"', "", " ", "\0"],
  ...["\u007f", '"\u0001"', "1e999", "9".repeat(400), "\ufffd", '"\ufeff"'],
  "[".repeat(1_100) + "]".repeat(1_100),
];

test(
  "what Redis reads without a warning, JSON.parse reads the same; the rest is never sent to it",
  async () => {
    const text = fc
      .record({
        body: fc.constantFrom(...MESSAGES),
        tokens: fc.array(fc.tuple(fc.nat(200), fc.constantFrom(...TOKENS)), { maxLength: 2 }),
        around: fc.constantFrom(["", ""], ["", ""], [" ", ""], ["", " "], ["[", "]"]),
      })
      .map(({ body, tokens, around: [before, behind] }) => {
        const values = body.split(/(?<=[[,:])(?=["\d])|(?<=["\d])(?=[,\]}])/);
        for (const [at, token] of tokens) values[at % values.length] = token;
        return `${before}${values.join("")}${behind}`;
      });
    await fc.assert(
      fc.asyncProperty(text, async (body) => {
        if (isUnsafeForRedis(body)) return; // sifted before it is sent
        const rows = await read(body);
        const { body: kept, dead } = sift(body);
        expect(rows !== undefined).toBe(dead === undefined && kept === body);
        if (rows) expect(allRows(rows)).toEqual(allRows(readMessage(body)));
      }),
      { numRuns: RUNS },
    );
  },
  SLOW_MS,
);

test(
  "what replaces an order that cannot be decided can always be recorded",
  async () => {
    const message = fc.array(mutation, { maxLength: 3 }).map((mutations) => {
      const columns = mutated(JSON.parse(bodyOf(order)) as Columns, mutations);
      return { ...columns, v: 1, order: [`u ${ID}`], kind: "" };
    });
    await fc.assert(
      fc.asyncProperty(message, async (columns) => {
        const { rejected } = sift(textOf(columns));
        for (const { row: put } of rejected) expect(await read(messageText([put]))).toBeDefined();
      }),
      { numRuns: RUNS },
    );
    const nothing = { ...order, fingerprint: 7, atMs: "x" } as unknown as OrderRow;
    const put = readMessage(messageText([rejectable(nothing)]));
    expect(rowProblem(put, 0)).toBeUndefined();
  },
  SLOW_MS,
);
