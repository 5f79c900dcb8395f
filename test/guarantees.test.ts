// Every test named on the pages of guarantees and faults must exist.
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { at } from "../core/domain/at.ts";

/** A page with each item of its lists on one line. */
function page(path: string): string {
  return readFileSync(path, "utf8").replaceAll(/\n {2}/g, " ");
}

/** `file` "name", "name" … in the page's lists; a file alone means all its tests. */
function named(text: string): [file: string, name: string][] {
  return [...text.matchAll(/`([\w/.-]+\.test\.ts)`((?: "[^"]+",?)*)/g)].flatMap(
    ([, file = "", names = ""]): [string, string][] => {
      const each = [...names.matchAll(/"([^"]+)"/g)].map(([, name = ""]): [string, string] => [
        file,
        name,
      ]);
      return each.length > 0 ? each : [[file, ""]];
    },
  );
}

/** The full name, or its last part for a test in a group. */
function missing(pairs: readonly (readonly [string, string])[]): string[] {
  return pairs
    .filter(
      ([file, name]) =>
        !existsSync(file) || !readFileSync(file, "utf8").includes(at(name.split(" > "), 0)),
    )
    .map(([file, name]) => `${file} "${name}"`);
}

test("every test that the guarantees name exists", () => {
  const pairs = named(page("docs/guarantees.md"));
  expect(pairs.length).toBeGreaterThan(50);
  expect(missing(pairs)).toEqual([]);
});

test("every test that the page of faults names exists, and every fault names one", () => {
  const text = page("docs/faults.md");
  const pairs = named(text);
  expect(pairs.length).toBeGreaterThan(60);
  expect(missing(pairs)).toEqual([]);
  const faults = text.split(/^### /m).slice(1);
  expect(faults.filter((fault) => named(fault).length === 0)).toEqual([]);
});

test("a missing test or file is noticed", () => {
  const text =
    'shown by `broker/broker.test.ts` "no such test", "a dead letter is copied with its reason, ' +
    'then acknowledged" and `test/gone.test.ts` |';
  expect(missing(named(text))).toEqual([
    'broker/broker.test.ts "no such test"',
    'test/gone.test.ts ""',
  ]);
});
