import { expect, test } from "bun:test";
import { Credit } from "./credit.ts";

test("orders take credit, and their answers return it", () => {
  const credit = new Credit(2);
  expect([credit.take(), credit.take(), credit.take()]).toEqual([true, true, false]);
  credit.answered(1, true);
  expect([credit.take(), credit.take()]).toEqual([true, false]);
});

test("answers that the client does not read return no credit until they have been sent", () => {
  const credit = new Credit(2);
  credit.take();
  credit.take();
  credit.answered(2, false);
  expect(credit.take()).toBe(false);
  credit.drained();
  expect(credit.outstanding).toBe(0);
  expect(credit.take()).toBe(true);
});
