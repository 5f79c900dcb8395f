// Evidence is what was seen; a count of nothing is none.
import { expect, test } from "bun:test";
import { until } from "./within.ts";

test("zero, false and undefined are checked again until there is an answer", async () => {
  const looks = [0, false, undefined, 3] as const;
  let at = 0;
  expect(await until("an answer", () => looks[at++], 5_000)).toBe(3);
  expect(at).toBe(looks.length);
});

test("a check that never shows anything ends", async () => {
  await expect(until("a session that waits", () => 0, 60)).rejects.toThrow("not within 0.06 s");
});
