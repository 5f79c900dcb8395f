// The documents as a site: `sluice docs build` writes it to .sluice/site/dist. Pages stay where
// GitHub shows them, so the site reads the whole project, and this file maps its links.
import { cpSync, existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { sidebar } from "./sidebar.mjs";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const OUT = join(ROOT, ".sluice/site/dist");
/** Files that pages link to and that are no pages themselves. They are copied as they are. */
const linked = new Set();

/** Where a relative link of a page leads on the site. */
export function onSite(page, href) {
  if (/^([a-z]+:|#|\/)/.test(href)) return href;
  const [file, anchor] = href.split("#");
  const path = posix.join(posix.dirname(page), file);
  const end = anchor === undefined ? "" : `#${anchor}`;
  if (path === "README.md") return `/${end}`;
  if (path.endsWith(".md")) return `/${path}${end}`;
  const full = join(ROOT, path);
  if (!existsSync(full)) return href;
  if (statSync(full).isDirectory()) return `/${posix.join(path, "README.md")}`;
  linked.add(path);
  return `/files/${path}`;
}

function mapLinks(md) {
  md.core.ruler.push("links on the site", ({ tokens, env }) => {
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      const href = token.attrGet("href");
      if (token.type !== "link_open" || href === null) continue;
      const target = onSite(env.relativePath, href);
      token.attrSet("href", target);
      if (target.startsWith("/files/")) token.attrSet("target", "_self");
    }
  });
}

/** The sign of the product, as in the console. */
const ICON =
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 28 28" fill="none" stroke="#0a6570" ` +
  `stroke-width="2.4" stroke-linecap="round"><path d="M3 4v20M25 4v20M8 4v9M14 4v6M20 4v9"/>` +
  `<path d="M3 19c4-3 7 3 11 0s7-3 11 0"/></svg>`;

/** The anchors of GitHub, which the pages' links use. */
const slugify = (heading) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .trim()
    .replaceAll(" ", "-");

export default {
  title: "Sluice",
  description: "Processes the orders of a flash sale, each exactly once",
  head: [["link", { rel: "icon", href: `data:image/svg+xml,${encodeURIComponent(ICON)}` }]],
  srcDir: "../..",
  outDir: OUT,
  cacheDir: join(ROOT, ".sluice/site/cache"),
  srcExclude: ["**/node_modules/**", ".sluice/**", "test/**"],
  rewrites: { "README.md": "index.md" },
  ignoreDeadLinks: [/^\/files\//],
  markdown: { anchor: { slugify }, config: mapLinks },
  themeConfig: {
    sidebar,
    outline: [2, 3],
    nav: [
      { text: "Tutorial", link: "/docs/tutorial/first-sale.md" },
      { text: "All pages", link: "/docs/README.md" },
      { text: "Glossary", link: "/docs/glossary.md" },
    ],
    search: { provider: "local" },
  },
  buildEnd() {
    for (const path of linked) {
      const to = join(OUT, "files", path);
      mkdirSync(dirname(to), { recursive: true });
      cpSync(join(ROOT, path), to);
    }
  },
};
