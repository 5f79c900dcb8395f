import { expect, test } from "bun:test";
import { messageOf } from "./message-of.ts";

test.each([
  ["an error's message", new TypeError("no such key"), "no such key"],
  ["a thrown text as it is", "gone", "gone"],
  ["anything else as text", undefined, "undefined"],
])("%s", (_, thrown, text) => {
  expect(messageOf(thrown)).toBe(text);
});
