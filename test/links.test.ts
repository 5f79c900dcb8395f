// Every link from one page of the project to another leads to a file and a heading that exist.
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const ROOT = join(import.meta.dir, "..");
const PAGES = ["*.md", "{bench,core,deploy,docs,proof,sdk}/**/*.md"].map((p) => new Bun.Glob(p));

interface Link {
  readonly page: string;
  readonly target: string;
}

function linksOf(page: string, text: string): Link[] {
  const prose = text.replaceAll(/^```.*?^```/gms, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = ""]) => ({ page, target }))
    .filter(({ target }) => !/^[a-z]+:/.test(target));
}

/** The anchors that GitHub gives the headings of a page. */
function anchors(text: string): Set<string> {
  const headings = text.replaceAll(/^```.*?^```/gms, "").matchAll(/^#+ (.+)$/gm);
  return new Set(
    [...headings].map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replaceAll(/\[([^\]]+)\]\([^)]*\)/g, "$1")
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

/** `read` returns a file's text, or undefined if there is none. */
function broken(links: readonly Link[], read: (path: string) => string | undefined): string[] {
  return links
    .filter(({ page, target }) => {
      const [file = "", anchor = ""] = target.split("#");
      const text = read(file ? join(dirname(page), file) : page);
      if (text === undefined) return true;
      const isPage = file === "" || file.endsWith(".md");
      return anchor !== "" && isPage && !anchors(text).has(anchor);
    })
    .map(({ page, target }) => `${page}: ${target}`);
}

function readIfThere(path: string): string | undefined {
  const full = join(ROOT, path);
  if (relative(ROOT, full).startsWith("..") || !existsSync(full)) return undefined;
  return path.endsWith(".md") ? readFileSync(full, "utf8") : "";
}

test("every relative link leads to a file, and to a heading of it", async () => {
  const scans = PAGES.map((pages) => Array.fromAsync(pages.scan({ cwd: ROOT })));
  const pages = (await Promise.all(scans)).flat().sort();
  const links = pages.flatMap((page) => linksOf(page, readFileSync(join(ROOT, page), "utf8")));
  expect(links.length).toBeGreaterThan(100);
  expect(broken(links, readIfThere)).toEqual([]);
});

test("a missing file, a missing heading and a path out of the project are broken links", () => {
  const text = "[a](b.md) [c](b.md#the-end) [d](e.svg) [f](b.md#no) [g](#no) [h](https://x.test/)";
  const files = new Map([
    ["docs/a.md", text],
    ["docs/b.md", "# B\n\n## The end\n"],
  ]);
  expect(broken(linksOf("docs/a.md", text), (path) => files.get(path))).toEqual([
    "docs/a.md: e.svg",
    "docs/a.md: b.md#no",
    "docs/a.md: #no",
  ]);
});
