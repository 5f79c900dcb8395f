import { expect, test } from "bun:test";
import { join } from "node:path";
import { testDir } from "../test/services.ts";

const PROCESSES = 4;
const ROUNDS = 5;

test("processes that open a new ledger at the same moment all succeed", async () => {
  const dir = testDir("open");
  for (let round = 0; round < ROUNDS; round++) {
    const args = [`sqlite:${join(dir, `${round}.db`)}`, String(Date.now() + 400)];
    const opening = Array.from({ length: PROCESSES }, () =>
      Bun.spawn([process.execPath, join(import.meta.dir, "open.child.ts"), ...args], {
        stderr: "pipe",
      }),
    );
    const said = await Promise.all(opening.map(({ stderr }) => new Response(stderr).text()));
    expect(said).toEqual(Array(PROCESSES).fill(""));
  }
}, 30_000);
