// Every test named on the pages of guarantees and faults must exist.
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { at } from "../core/domain/at.ts";
import { FAULTS } from "../proof/chaos/catalogue.ts";
import { PLANTED } from "../proof/simulate/planted.ts";

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

/** Every id of the specification. */
const IDS = {
  I: ids("I", 11),
  R: ids("R", 9),
  S: ids("S", 8),
  B: ids("B", 4),
  C: ids("C", 6),
  X: ids("X", 16),
};
/** Of these the page says that they are not built yet. */
const NOT_BUILT = ["X9", "X15", "X16"];

function ids(letter: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${letter}${i + 1}`);
}

/** Id → the text of its section. */
function sections(text: string): Map<string, string> {
  const parts = text.split(/^### ([A-Z]\d+)\n/m).slice(1);
  return new Map(parts.flatMap((id, i) => (i % 2 === 0 ? [[id, at(parts, i + 1)]] : [])));
}

/** Ids whose section names no test, neither itself nor by reference to other ids. */
function unshown(text: string): string[] {
  const all = sections(text);
  const shown = (id: string, above: readonly string[]): boolean => {
    const section = all.get(id);
    if (section === undefined || above.includes(id)) return false;
    if (named(section).length > 0) return true;
    const others = [...section.matchAll(/^- (?:\S+ )*?see (.*)$/gm)].flatMap(([, rest = ""]) => [
      ...rest.matchAll(/\b[A-Z]\d+\b/g),
    ]);
    return others.length > 0 && others.every(([other]) => shown(other, [...above, id]));
  };
  return Object.values(IDS)
    .flat()
    .filter((id) => !NOT_BUILT.includes(id) && !shown(id, []));
}

test("every id of the specification has a test, or is said not to be built", () => {
  const text = page("docs/guarantees.md");
  expect(unshown(text)).toEqual([]);
  const [, later = ""] = text.split("### Not built yet\n");
  expect([...later.matchAll(/^- \*\*([A-Z]\d+)\*\*/gm)].map(([, id]) => id)).toEqual(NOT_BUILT);
  expect([...sections(text).keys()].sort()).toEqual(
    Object.values(IDS)
      .flat()
      .filter((id) => !NOT_BUILT.includes(id))
      .sort(),
  );
});

/** What the page names for each invariant in "By scenario and seed". */
function shownByFaults(text: string): Map<string, { scenarios: string[]; planted: string[] }> {
  const lines = text.matchAll(/^- \*\*(I\d+)\*\*, scenarios: (.*); planted faults: (.*)$/gm);
  const names = (list: string) => [...list.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
  return new Map(
    [...lines].map(([, id = "", scenarios = "", planted = ""]) => [
      id,
      { scenarios: names(scenarios), planted: names(planted) },
    ]),
  );
}

test("each invariant is shown by scenarios and planted faults that exist", () => {
  const shown = shownByFaults(page("docs/guarantees.md"));
  expect([...shown.keys()]).toEqual(IDS.I);
  const all = [...shown.values()];
  expect(all.filter((of) => of.scenarios.length === 0 || of.planted.length === 0)).toEqual([]);
  const faults = new Set(FAULTS.map(({ name }) => name));
  const planted = new Set(PLANTED.map(({ name }) => name));
  expect(all.flatMap((of) => of.scenarios).filter((name) => !faults.has(name))).toEqual([]);
  expect(all.flatMap((of) => of.planted).filter((name) => !planted.has(name))).toEqual([]);
});

test("an id without a test is noticed, also behind a reference", () => {
  const text = page("docs/guarantees.md");
  expect(unshown(text.replace(/^### S1\n/m, "### Q1\n"))).toEqual(["S1"]);
  const empty = text.replace(/(^### R9\n)[^#]*/m, "$1\nOperators see it.\n\n");
  expect(unshown(empty)).toEqual(["R9"]);
  expect(unshown(text.replace(/(^### R3\n)[^#]*/m, "$1\n- see Z1\n\n"))).toEqual(["R3"]);
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
