// One query serves many readers, and each answer says when it was asked for.
import { expect, test } from "bun:test";
import { StockReader } from "./stock-reader.ts";

test("an answer that is used again, or waited for, says when Redis was asked", async () => {
  let nowMs = 1_000;
  const answers: PromiseWithResolvers<undefined>[] = [];
  const ask = async () => {
    const answer = Promise.withResolvers<undefined>();
    answers.push(answer);
    return { units: await answer.promise, sale: undefined };
  };
  const reader = new StockReader({ monotonicMs: () => nowMs, nextTurn: setImmediate }, ask);
  const first = reader.look("spring");
  nowMs += 300; // Redis is slow
  const second = reader.look("spring");
  answers[0]?.resolve(undefined);
  expect(await Promise.all([first, second])).toMatchObject([
    { askedMs: 1_000 },
    { askedMs: 1_000 },
  ]);
  nowMs += 999; // a slow query is repeated rarely
  expect(await reader.look("spring")).toMatchObject({ askedMs: 1_000 });
  nowMs += 1;
  const again = reader.look("spring");
  answers[1]?.resolve(undefined);
  expect([await again, answers.length]).toMatchObject([{ askedMs: 2_300 }, 2]);
});

test("a large sale is shown page by page, and others have their turn in between", async () => {
  const counters = { available: 5, releasing: 0, held: 2, sold: 3 };
  const units = Array.from({ length: 1_000 }, (_, i) => ({ sku: `item-${i}`, ...counters }));
  const initial = new Map(units.map(({ sku }) => [sku, 10]));
  let turns = 0;
  const runtime = {
    monotonicMs: () => 1_000,
    nextTurn: (call: () => void) => {
      turns++;
      setImmediate(call);
    },
  };
  const reader = new StockReader(runtime, async () => ({ units, sale: { initial } }));
  const text = await reader.textOf("spring");
  const items = units.map(({ sku }) => ({ sku, initial: 10, restocked: 0, ...counters }));
  expect(new TextDecoder().decode(text?.bytes)).toBe(JSON.stringify({ saleId: "spring", items }));
  expect(await reader.textOf("spring")).toBe(text as NonNullable<typeof text>);
  // Four pages twice: units, then text.
  expect(turns).toBe(6);
});
