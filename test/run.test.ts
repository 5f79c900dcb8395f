// The whole run, over test files made up here.
import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { canListen } from "../services/ports.ts";
import { outputOf } from "./output-of.ts";
import { testDir } from "./services.ts";

setDefaultTimeout(60_000);

const PASSES = "expect(1).toBe(1)";
const FAILS = "expect(1).toBe(2)";
const SERVICES = JSON.stringify(join(import.meta.dir, "services.ts"));
const LEAVES = `
  const { testDir, testRedis } = await import(${SERVICES});
  await Bun.write("left", JSON.stringify({ dir: testDir("any"), ...(await testRedis()) }))`;

/** Runs files, each given by the bodies of its tests. */
async function run(files: Record<string, readonly string[]>) {
  const cwd = testDir("run");
  for (const [name, bodies] of Object.entries(files)) {
    const tests = bodies.map((body, n) => `test("${name} ${n}", async () => { ${body}; });`);
    writeFileSync(
      join(cwd, name),
      `import { expect, test } from "bun:test";\n${tests.join("\n")}\n`,
    );
  }
  const command = [process.execPath, join(import.meta.dir, "run.ts")];
  const { out, err, code } = await outputOf(command, { cwd });
  return { code, last: out.trimEnd().split("\n").at(-1), err, cwd };
}

const QUIET = { "z.quiet.test.ts": [PASSES, PASSES] };

test("the totals of all runners are added up", async () => {
  const { code, last, err } = await run({
    "a.test.ts": [PASSES],
    "b.test.ts": [PASSES, PASSES],
    ...QUIET,
  });
  expect({ code, last }).toEqual({ code: 0, last: "5 passed, 0 failed" });
  expect(err.lastIndexOf("b.test.ts")).toBeLessThan(err.indexOf("z.quiet.test.ts"));
});

test("a failure in either part fails the run and is shown with its values", async () => {
  for (const name of ["b.test.ts", "y.quiet.test.ts"]) {
    const { code, last, err } = await run({ "a.test.ts": [PASSES], [name]: [FAILS], ...QUIET });
    expect({ code, last }).toEqual({ code: 1, last: "3 passed, 1 failed" });
    expect(err).toContain("Received: 1");
    expect(err).toContain(`(fail) ${name} 0`);
  }
});

test("a runner that exits or is killed in the middle of a file fails the run", async () => {
  for (const end of ["process.exit(0)", "process.kill(process.pid, 'SIGKILL')"])
    for (const name of ["b.test.ts", "y.quiet.test.ts"]) {
      const { code } = await run({ "a.test.ts": [PASSES], [name]: [end, PASSES], ...QUIET });
      expect({ end, name, code }).not.toMatchObject({ code: 0 });
    }
});

test("services that tests shared are stopped, and their folder is removed", async () => {
  const { code, cwd } = await run({ "a.test.ts": [LEAVES, PASSES], ...QUIET });
  expect(code).toBe(0);
  const { dir, url } = await Bun.file(join(cwd, "left")).json();
  expect(existsSync(dirname(dir))).toBe(false);
  expect(await canListen("127.0.0.1", Number(new URL(url).port))).toBe(true);
});
