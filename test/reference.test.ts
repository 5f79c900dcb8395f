// docs/reference shows the product's own tables as they are.
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { references } from "./reference.ts";

const ROOT = join(import.meta.dir, "..");

/** `SLUICE_WRITE_REFERENCE=1 ./sluice test test/reference.test.ts` writes the pages again. */
test.each([...references()])("%s shows the product's table", (path, text) => {
  const file = join(ROOT, path);
  if (process.env.SLUICE_WRITE_REFERENCE === "1") writeFileSync(file, text);
  expect(readFileSync(file, "utf8")).toBe(text);
});
