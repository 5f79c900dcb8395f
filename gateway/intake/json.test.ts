import { expect, test } from "bun:test";
import fc from "fast-check";
import { Problem } from "../http/problem.ts";
import { MAX_DEPTH, readJson } from "./json.ts";

function refusal(text: string): [string, string | undefined] {
  const value = readJson(text);
  if (!(value instanceof Problem)) throw new Error(`accepted: ${text}`);
  return [value.code, value.field];
}

test("any JSON value is read as JSON.parse reads it", () => {
  fc.assert(
    fc.property(
      fc.jsonValue({ maxDepth: 8 }),
      fc.constantFrom(undefined, 1, "\t"),
      (value, space) => {
        const text = JSON.stringify(value, undefined, space);
        if (!text.includes("\ufffd")) expect(readJson(text)).toEqual(JSON.parse(text));
      },
    ),
  );
});

test("a duplicate member is found at any depth, however it is written", () => {
  expect(refusal('{"a":1,"a":2}')).toEqual(["duplicate_key", "a"]);
  expect(refusal('{"a":1,"\\u0061":2}')).toEqual(["duplicate_key", "a"]);
  expect(refusal('{"x":[{"y":{"k" : 1 , "k"\n:2}}]}')).toEqual(["duplicate_key", "k"]);
  expect(refusal('{"__proto__":1,"__proto__":2}')).toEqual(["duplicate_key", "__proto__"]);
  expect(refusal('{"a:b":":","c":"\\":","a:b":1}')).toEqual(["duplicate_key", "a:b"]);
});

test("colons and quotes inside strings neither hide nor add members", () => {
  const value = { "a:b": ':":,{', "c\\": '\\":"', d: [":", { ":": ":" }] };
  expect(readJson(JSON.stringify(value))).toEqual(value);
});

test("nesting is accepted up to its bound and refused beyond, however deep", () => {
  const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
  expect(readJson(nested(MAX_DEPTH))).toBeArray();
  expect(refusal(nested(MAX_DEPTH + 1))[0]).toBe("too_deep");
  expect(refusal(`{"a":${nested(30_000)}}`)[0]).toBe("too_deep");
});

test("anything but JSON in UTF-8 is malformed", () => {
  for (const text of [
    "",
    "{",
    "{'a':1}",
    "[1,]",
    "NaN",
    "[".repeat(60_000),
    '{"a":"\ufffd"}',
    "\u0000",
  ])
    expect(refusal(text)[0]).toBe("malformed");
});
