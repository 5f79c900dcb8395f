import { expect, test } from "bun:test";
import fc from "fast-check";
import { countWords, hasWord, splitWords } from "./words.ts";

test("a word counts as a whole, not as a part of another", () => {
  expect(hasWord("=reserved,!reserved,-reserved", "reserved")).toBe(false);
  expect(hasWord("sold_out,reserved", "reserved")).toBe(true);
  expect(hasWord("past_due,repast", "past")).toBe(false);
  expect(hasWord("x,past,y", "past")).toBe(true);
  expect(hasWord("", "past")).toBe(false);
});

test("looking and taking apart say the same", () => {
  const word = fc.constantFrom("past", "=past", "passed", "reserved", "+late", "late", "");
  fc.assert(
    fc.property(fc.array(word, { minLength: 1 }), fc.constantFrom("past", "+late"), (words, of) => {
      const outcomes = words.join(",");
      expect(hasWord(outcomes, of)).toBe(splitWords(outcomes).includes(of));
      expect(countWords(outcomes)).toBe(words.length);
    }),
  );
});
