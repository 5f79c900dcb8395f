// `./sluice docs build` builds the site, and finds no dead link. It fetches VitePress.
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { outputOf } from "./output-of.ts";

const ROOT = join(import.meta.dir, "..");
const TIMEOUT_MS = 900_000;

test(
  "the site is built, with its pages and the files that they link to",
  async () => {
    const run = await outputOf([join(ROOT, "sluice"), "docs", "build"], { env: process.env });
    expect(run).toMatchObject({ code: 0 });
    const made = ["index.html", "docs/operations.html", "files/docs/openapi.yaml"];
    for (const file of made)
      expect([file, existsSync(join(ROOT, ".sluice/site/dist", file))]).toEqual([file, true]);
  },
  TIMEOUT_MS,
);
