import { expect, test } from "bun:test";
import { checkOf, cursorOf, readCursor } from "./feed-position.ts";

const check = checkOf("store", ["a", "b"]);

test("a cursor holds its position", () => {
  for (const read of [[0], [0, 1, 127, 128, 300, 999_999_999], new Array(256).fill(70_000)])
    expect(readCursor(cursorOf({ read, check }))).toEqual({ read, check });
});

test("any other text is no cursor", () => {
  const cursor = cursorOf({ read: [1, 2, 3], check });
  const others = ["", "x", "0", cursor.slice(1), cursor.slice(0, -2), `${cursor}AA`, `${cursor}=`];
  for (const text of [...others, "_____________________", cursor.replace(/^./, "B")])
    expect([text, readCursor(text)]).toEqual([text, undefined]);
});

test("the check depends on the store and on every id", () => {
  expect(checkOf("store", ["a", "b"])).toBe(check);
  for (const other of [checkOf("other", ["a", "b"]), checkOf("store", ["a", "c"])])
    expect(other).not.toBe(check);
});
