import { expect, test } from "bun:test";
import { at } from "./at.ts";

test("an existing item is returned; the error for a missing one names its index", () => {
  expect(at(["a", "b"], 1)).toBe("b");
  expect(at(Buffer.from([0]), 0)).toBe(0);
  expect(() => at(["a", "b"], 2)).toThrow(new RangeError("no item 2 in a list of 2"));
  expect(() => at([], -1)).toThrow(RangeError);
});
