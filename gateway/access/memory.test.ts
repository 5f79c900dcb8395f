import { expect, test } from "bun:test";
import { Memory } from "./memory.ts";

test("the oldest is forgotten when there are too many, or when they are too long", () => {
  const memory = new Memory<number>(3, 10);
  for (const [i, key] of ["a", "b", "c", "d"].entries()) memory.set(key, i);
  expect([memory.get("a"), memory.get("b"), memory.size]).toEqual([undefined, 1, 3]);
  memory.set("e".repeat(9), 4);
  expect([memory.get("c"), memory.get("d"), memory.size]).toEqual([undefined, 3, 2]);
  memory.set("f".repeat(11), 5);
  expect(memory.size).toBe(0);
});

test("a new value renews its place and is counted once", () => {
  const memory = new Memory<number>(2, 10);
  memory.set("aaaa", 1);
  memory.set("bbbb", 2);
  memory.set("aaaa", 3);
  memory.set("cc", 4);
  expect([memory.get("aaaa"), memory.get("bbbb"), memory.get("cc")]).toEqual([3, undefined, 4]);
  memory.delete("aaaa");
  memory.set("dddddddd", 5);
  expect([memory.get("cc"), memory.get("dddddddd")]).toEqual([4, 5]);
});
