// The package as npm would publish it: what it contains, and that its README's first example works
// in Node with nothing but the package.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { testDir } from "../../../test/services.ts";
import { Shop } from "../../testing.ts";

const SLOW_MS = 60_000;
const PACKAGE = join(import.meta.dir, "..");
const BIN = join(PACKAGE, "..", "..", "node_modules", ".bin");
let dir: string;
let files: string[];

/** Packs a copy, so that the build leaves nothing in the source tree. */
beforeAll(async () => {
  dir = testDir("package");
  const copy = join(dir, "copy");
  for (const name of ["package.json", "tsconfig.json", "README.md", "LICENSE", "src"])
    cpSync(join(PACKAGE, name), join(copy, name), { recursive: true });
  await run(copy, "npm", "pack", "--dry-run", "--json");
  files = packed(await run(copy, "npm", "pack", "--dry-run", "--json", "--ignore-scripts"));
  const installed = join(dir, "node_modules", "@sluice", "client");
  mkdirSync(installed, { recursive: true });
  for (const file of files) cpSync(join(copy, file), join(installed, file));
}, SLOW_MS);

let shop: Shop | undefined;
afterAll(() => shop?.close(), SLOW_MS);

async function run(cwd: string, ...command: string[]): Promise<string> {
  const child = Bun.spawn(command, {
    cwd,
    env: { ...process.env, PATH: `${BIN}:${process.env.PATH}`, ...environment },
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  expect({ code, out, err }).toMatchObject({ code: 0 });
  return out;
}
let environment: Record<string, string> = {};

function packed(json: string): string[] {
  const report = JSON.parse(json) as unknown;
  const [first] = Object.values(report as Record<string, { files: { path: string }[] }>);
  return (first?.files ?? []).map(({ path }) => path);
}

test("npm pack holds the build with its types, the README and the licence, and no source", () => {
  const other = files.filter((file) => !/^dist\/[\w-]+\.(js|d\.ts)$/.test(file));
  expect(other.sort()).toEqual(["LICENSE", "README.md", "package.json"]);
  for (const file of ["dist/index.js", "dist/index.d.ts"]) expect(files).toContain(file);
  const { dependencies, peerDependencies } = JSON.parse(
    readFileSync(join(PACKAGE, "package.json"), "utf8"),
  );
  expect([dependencies, peerDependencies]).toEqual([undefined, undefined]);
});

test(
  "five lines of the README place an order exactly once, in Node",
  async () => {
    shop = await Shop.open({ lamp: 5 });
    const [, example = ""] = /```js\n(.*?)```/s.exec(
      readFileSync(join(PACKAGE, "README.md"), "utf8"),
    ) as RegExpExecArray;
    expect(example.trim().split("\n")).toHaveLength(5);
    await Bun.write(join(dir, "example.mjs"), example);
    environment = { GATEWAY: await shop.gateway(), TOKEN: await shop.token("ann") };
    const out = await run(dir, "node", "example.mjs");
    const [order] = await shop.orders("ann");
    expect(out).toBe(`${order?.id} reserved\n`);
    expect(await shop.taken("lamp")).toBe(1);
  },
  SLOW_MS,
);
