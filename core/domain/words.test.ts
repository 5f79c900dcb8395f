import { expect, test } from "bun:test";
import fc from "fast-check";
import { splitWords, tallyOf } from "./words.ts";

test("whole words are counted", () => {
  const outcomes = ["sold_out,sold_out,reserved,sold_out", "=reserved,!reserved"];
  expect([...tallyOf(outcomes.map((text) => ({ outcomes: text })))]).toEqual([
    ["sold_out", 3],
    ["reserved", 1],
    ["=reserved", 1],
    ["!reserved", 1],
  ]);
});

test("tallyOf agrees with splitWords", () => {
  const word = fc.constantFrom("past", "=past", "passed", "reserved", "+late", "late");
  fc.assert(
    fc.property(fc.array(fc.array(word, { minLength: 1 })), (messages) => {
      const texts = messages.map((words) => ({ outcomes: words.join(",") }));
      const all = texts.flatMap(({ outcomes }) => splitWords(outcomes));
      const counted = [...tallyOf(texts)].sort();
      const expected = [...new Set(all)].map((w) => [w, all.filter((x) => x === w).length]);
      expect(counted as unknown[]).toEqual(expected.sort());
    }),
  );
});
