import { expect, test } from "bun:test";
import { countIgnored, ended, IGNORABLE, ignore, ignoredErrors } from "./ignored.ts";

const count = (what: string) => ignoredErrors()[what] ?? 0;

test("an ignored error is counted under its name, and work that succeeds is not", async () => {
  const before = count("push");
  expect(await ignore(Promise.reject(new Error("gone")), "push")).toBeUndefined();
  expect(await ignore(Promise.resolve(5), "push")).toBe(5);
  countIgnored("push");
  expect(count("push")).toBe(before + 2);
});

test("failed work has ended too, and is not counted", async () => {
  const before = ignoredErrors();
  await ended(Promise.reject(new Error("handled elsewhere")));
  expect(ignoredErrors()).toEqual(before);
});

test("every name has a reason", () => {
  for (const [name, why] of Object.entries(IGNORABLE)) {
    expect(name).toMatch(/^[a-z_]+$/);
    expect(why.length).toBeGreaterThan(10);
  }
});
