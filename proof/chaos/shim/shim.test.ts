// A process that runs with the shim sees a full or slow disk and a wrong wall clock exactly while
// the shim is switched on, and only for its own files.
import { afterEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { testDir } from "../../../test/services.ts";
import { until } from "../../../test/until.ts";
import { hasCompiler, Shim } from "./shim.ts";

/** Inserts into a database and writes a plain file, repeatedly, and prints what it sees. */
const CHILD = `
import { Database } from "bun:sqlite";
import { writeFileSync } from "node:fs";
const [dir, other] = process.argv.slice(-2);
const db = new Database(dir + "/ledger.db");
for (const text of ["journal_mode = WAL", "synchronous = FULL"]) db.run("PRAGMA " + text);
db.run("CREATE TABLE t (x)");
const attempt = (work) => {
  try { work(); return "done"; } catch (error) { return error.code; }
};
while (true) {
  const startedMs = performance.now();
  const inserted = attempt(() => db.run("INSERT INTO t VALUES (randomblob(3000))"));
  const tookMs = performance.now() - startedMs;
  const written = attempt(() => writeFileSync(other + "/plain", "text"));
  console.log(JSON.stringify({ inserted, tookMs, written, wallMs: Date.now() }));
  await Bun.sleep(10);
}`;

interface Seen {
  readonly inserted: string;
  readonly tookMs: number;
  readonly written: string;
  readonly wallMs: number;
}

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

function started(): { shim: Shim; last: () => Seen | undefined } {
  const [dir, other] = [testDir("shim"), testDir("other")];
  const shim = Shim.make(other, "control", dir);
  const script = join(other, "child.ts");
  writeFileSync(script, CHILD);
  const child = Bun.spawn([process.execPath, script, dir, other], {
    env: { ...process.env, ...shim.env },
    stdout: "pipe",
  });
  ends.push(() => child.kill("SIGKILL"));
  let last: Seen | undefined;
  void (async () => {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const bytes of child.stdout) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      const line = lines.at(-1);
      if (line) last = JSON.parse(line) as Seen;
    }
  })();
  return { shim, last: () => last };
}

test.if(hasCompiler())(
  "full, slow, fine again; an hour ahead, an hour behind, right again",
  async () => {
    const { shim, last } = started();
    const sees = (what: string, fits: (seen: Seen) => boolean) =>
      until(what, () => {
        const seen = last();
        return seen !== undefined && fits(seen);
      });
    const quick = ({ inserted, tookMs }: Seen) => inserted === "done" && tookMs < 70;
    await sees("a sound disk", quick);
    shim.disk("full");
    await sees(
      "a full disk",
      ({ inserted, written }) => `${inserted} ${written}` === "SQLITE_FULL done",
    );
    expect(shim.counts.failed).toBeGreaterThan(0);
    shim.disk("slow", 80);
    await sees("a slow disk", ({ inserted, tookMs }) => inserted === "done" && tookMs >= 80);
    expect(shim.counts.slowed).toBeGreaterThan(0);
    shim.disk("fine");
    await sees("a sound disk again", quick);
    const awayS = ({ wallMs }: Seen) => Math.round((wallMs - Date.now()) / 1_000);
    expect(shim.counts.told).toBe(0);
    for (const offsetS of [3_600, -3_600]) {
      shim.clock(offsetS);
      await sees(`a clock ${offsetS} s away`, (seen) => Math.abs(awayS(seen) - offsetS) <= 2);
    }
    expect(shim.counts.told).toBeGreaterThan(0);
    shim.clock(0);
    await sees("the right time", (seen) => Math.abs(awayS(seen)) <= 2);
  },
);
