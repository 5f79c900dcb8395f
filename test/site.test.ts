// The documents as a site. The build fetches VitePress and takes a minute, so site.long.test.ts has
// it. This file checks what breaks it most often.
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { outputOf } from "./output-of.ts";

const ROOT = join(import.meta.dir, "..");
const SITE = join(ROOT, "docs/site/.vitepress");

interface Entry {
  readonly text: string;
  readonly link?: string;
  readonly items?: readonly Entry[];
}
type OnSite = (page: string, href: string) => string;

const load = async <T>(file: string): Promise<T> => (await import(join(SITE, file))) as T;
const { sidebar } = await load<{ sidebar: readonly Entry[] }>("sidebar.mjs");
const { onSite } = await load<{ onSite: OnSite }>("config.mjs");

const listed = sidebar
  .flatMap(({ items = [] }) => items)
  .map(({ link = "" }) => (link === "/" ? "README.md" : link.slice(1)));
const pages = [...new Bun.Glob("docs/**/*.md").scanSync({ cwd: ROOT })].sort();
const read = (page: string) => readFileSync(join(ROOT, page), "utf8");

test("the sidebar lists every page of docs once, and no other; decisions are listed, too", () => {
  expect(listed.filter((page) => !existsSync(join(ROOT, page)))).toEqual([]);
  expect(listed.filter((page, i) => listed.indexOf(page) !== i)).toEqual([]);
  const decisions = read("docs/decisions/README.md");
  const missing = pages.filter((page) => {
    const [, decision] = /^docs\/decisions\/(\d.*)$/.exec(page) ?? [];
    const unlisted = decision !== undefined && !decisions.includes(`](${decision})`);
    return unlisted || !listed.includes(page);
  });
  expect(missing).toEqual([]);
});

test("docs/README.md names the pages of the sidebar that are in docs", () => {
  const index = read("docs/README.md");
  const inDocs = listed.filter((page) => page.startsWith("docs/") && page !== "docs/README.md");
  const here = inDocs.map((page) => page.slice("docs/".length));
  // The sidebar finds guides by itself; protocol/README.md and decisions/README.md name their own.
  const elsewhere = /^(protocol|decisions)\/(?!README)|^howto\//;
  expect(here.filter((page) => !index.includes(`](${page})`) && !elsewhere.test(page))).toEqual([]);
});

/** What Vue would read as a tag or as an expression. */
function foreign(text: string): string[] {
  const prose = text
    .replaceAll(/^ *```[\s\S]*?^ *```$/gm, "")
    .replaceAll(/^ {4}\.\/sluice .*$/gm, "")
    .replaceAll(/`[^`]+`/g, "")
    .replaceAll(/<!--[\s\S]*?-->/g, "");
  return [...prose.matchAll(/<\/?[A-Za-z][^\s>]*>?|\{\{/g)].map(([found]) => found);
}

test("no page holds a tag or an expression outside of its code", () => {
  expect(foreign("a `<b>` {{ c }}\n```\n<d>\n```\n<e> <!-- <f> -->")).toEqual(["{{", "<e>"]);
  expect(pages.filter((page) => foreign(read(page)).length > 0)).toEqual([]);
});

test.each([
  ["docs/a.md", "../README.md#figures", "/#figures"],
  ["docs/howto/a.md", "../operations.md#halted", "/docs/operations.md#halted"],
  ["docs/a.md", "decisions/", "/docs/decisions/README.md"],
  ["docs/a.md", "openapi.yaml", "/files/docs/openapi.yaml"],
  ["README.md", "#figures", "#figures"],
  ["README.md", "https://example.org/a.md", "https://example.org/a.md"],
])("a link in %s to %s leads to %s", (page, href, target) => {
  expect(onSite(page, href)).toBe(target);
});

test("`./sluice docs` alone says how it is used", async () => {
  const { code, err } = await outputOf([join(ROOT, "sluice"), "docs"], { env: process.env });
  expect(code).toBe(2);
  expect(err).toContain("usage: ./sluice docs build");
});
