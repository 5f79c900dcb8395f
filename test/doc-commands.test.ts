// Every command in the documents exists with its flags, and a test runs it or a reason says why
// none does.
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { commandsIn, type DocCommand, inertProgram, refusal, sluiceIn } from "./doc-commands.ts";
import { isCovered, LONG_PAGES, NOT_RUN, RUN, ruleOf, UP_PAGES } from "./doc-commands-run.ts";

const ROOT = join(import.meta.dir, "..");
const PAGES = ["*.md", "{bench,core,deploy,docs,proof,sdk}/**/*.md"].map((p) => new Bun.Glob(p));
const pages = PAGES.flatMap((glob) => [...glob.scanSync({ cwd: ROOT })]).sort();
const all = pages.flatMap((page) => commandsIn(page, readFileSync(join(ROOT, page), "utf8")));
const program = await inertProgram();

const refused = (commands: readonly DocCommand[]): string[] =>
  commands.flatMap(({ page, line, text, fence }) =>
    sluiceIn(text).flatMap((words) => {
      const why = refusal(program, words, fence === undefined);
      return why === undefined ? [] : [`${page}:${line}: sluice ${words.join(" ")}: ${why}`];
    }),
  );

const uncovered = (commands: readonly DocCommand[]): string[] =>
  commands
    .filter((command) => command.fence !== undefined && !isCovered(command))
    .map(({ page, line, text }) => `${page}:${line}: ${text}`);

test("every command of Sluice in a document is one that it would run", () => {
  expect(all.flatMap(({ text }) => sluiceIn(text)).length).toBeGreaterThan(150);
  expect(refused(all)).toEqual([]);
});

test("a test runs each command of a document, or a reason says why none does", () => {
  expect(all.filter(({ fence }) => fence !== undefined).length).toBeGreaterThan(60);
  expect(uncovered(all)).toEqual([]);
});

test("each rule is needed, and each test that it names exists", () => {
  const used = new Set(all.filter(({ fence }) => fence !== undefined).map(ruleOf));
  const rules = [...RUN, ...NOT_RUN];
  expect(rules.filter((rule) => !used.has(rule)).map(({ command }) => command)).toEqual([]);
  const gone = RUN.filter(({ file, words }) => {
    const path = join(ROOT, file);
    return !existsSync(path) || !readFileSync(path, "utf8").includes(words);
  });
  expect(gone).toEqual([]);
  const marked = all.filter(({ fence }) => fence === "up").map(({ page }) => page);
  expect([...new Set(marked)].sort()).toEqual([...UP_PAGES, ...LONG_PAGES].sort());
});

test("commands that Sluice would refuse are noticed, in blocks and in sentences", () => {
  const text = [
    "Run `sluice top --once` or `sluice top --twice`, then `./sluice nothing`, `sluice dead drop`.",
    "```sh",
    "./sluice orders --user ann --limit many   # a comment with ./sluice wrong",
    'curl -H "authorization: Bearer $(./sluice token --scope x)" \\',
    "  -d '{\"id\":\"'$(./sluice id --what)'\"}'",
    "./sluice up --gap-timeout 10s --gap-time 10s",
    "./sluice test test/gone.test.ts",
    "```",
  ].join("\n");
  expect(refused(commandsIn("a.md", text))).toEqual(
    [
      "a.md:3: sluice orders --user ann --limit many: ",
      "a.md:4: sluice token --scope x: ",
      "a.md:4: sluice id --what: ",
      "a.md:6: sluice up --gap-timeout 10s --gap-time 10s: ",
      "a.md:7: sluice test test/gone.test.ts: ",
      "a.md:1: sluice top --twice: ",
      "a.md:1: sluice nothing: ",
    ].map((start) => expect.stringContaining(start)),
  );
});

test("a block of commands that is not marked as one is noticed", () => {
  const unmarked = (text: string) => /^ *```\n *(?:\.\/)?sluice [a-z]/m.test(text);
  expect(unmarked("```\n./sluice up\n```\n")).toBe(true);
  expect(unmarked("```sh\n./sluice up\n```\n")).toBe(false);
  const found = pages.filter((page) => unmarked(readFileSync(join(ROOT, page), "utf8")));
  expect(found).toEqual([]);
});

test("a block that no rule covers is noticed; one that is run as it is needs none", () => {
  const text = "```sh\nfrobnicate --all\n```\n\n```sh up\nfrobnicate\n```\n\n```json\n{}\n```\n";
  const [listed = ""] = UP_PAGES;
  expect(uncovered(commandsIn(listed, text))).toEqual([`${listed}:2: frobnicate --all`]);
  expect(uncovered(commandsIn("a.md", text))).toHaveLength(2);
});
