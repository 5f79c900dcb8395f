// The command line as a process: what needs one to be seen.
import { expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { realRuntime } from "../core/runtime/runtime.ts";
import { openLedger } from "../ledger/open.ts";
import { outputOf } from "../test/output-of.ts";
import { testDir } from "../test/services.ts";
import { demoSale } from "./demo-sale.ts";
import { onRecord } from "./operator/on-record.ts";

const CLI = join(import.meta.dir, "cli.ts");
const TIMEOUT_MS = 60_000;
/** Without the settings of the shell that runs the tests. */
const bare = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith("SLUICE_")),
);
const sluice = (dir: string, ...words: string[]) =>
  outputOf([process.execPath, CLI, ...words], { env: { ...bare, SLUICE_DATA: dir } });

test(
  "where nothing is running, each command that reads says so and ends with 69",
  async () => {
    const dir = testDir("cli-nothing");
    const reads = [["stock"], ["workers"], ["top"], ["audit", "--json"], ["logs"]];
    for (const words of reads)
      expect([words, await sluice(dir, ...words)]).toEqual([
        words,
        { code: 69, out: "", err: "sluice: nothing is running here: ./sluice up starts it\n" },
      ]);
  },
  TIMEOUT_MS,
);

test(
  "what a killed 'up' wrote down is not followed once nothing of it runs; a starting one is named",
  async () => {
    const dir = testDir("cli-killed");
    const env = { SLUICE_REDIS_URL: "redis://127.0.0.1:1", SLUICE_LEDGER_URL: "sqlite:x.db" };
    const recorded = { pid: 2 ** 22 + 1, env, roles: {}, services: {}, given: {} };
    await Bun.write(join(dir, "current.json"), JSON.stringify(recorded));
    expect(await sluice(dir, "stock")).toMatchObject({
      code: 69,
      err: expect.stringContaining("nothing is running here"),
    });
    const start = (await Bun.file(`/proc/${process.pid}/stat`).text())
      .split(") ")[1]
      ?.split(" ")[19];
    await Bun.write(join(dir, "up.pid"), `${process.pid} ${start}\n`);
    await Bun.file(join(dir, "current.json")).delete();
    expect((await sluice(dir, "stock")).err).toContain(
      `(process ${process.pid}) is still starting`,
    );
  },
  TIMEOUT_MS,
);

test(
  "while Redis is away, a read says in a line what is unknown, and ends with 69",
  async () => {
    const dir = testDir("cli-redis-away");
    mkdirSync(dir, { recursive: true });
    const url = `sqlite:${join(dir, "ledger.db")}`;
    const ledger = await openLedger({ runtime: realRuntime, url, shards: 2 });
    await ledger.operate({ kind: "create", ref: "demo", sale: demoSale(Date.now()) }, "test");
    await ledger.close();
    const stores = { SLUICE_REDIS_URL: "redis://127.0.0.1:1", SLUICE_REGIONS: "eu=amqp://a/b" };
    const env = { ...bare, ...stores, SLUICE_DATA: dir, SLUICE_LEDGER_URL: url };
    const away = (...words: string[]) => outputOf([process.execPath, CLI, ...words], { env });
    const line = /^sluice: .*Redis .*\n$/;
    for (const words of [
      ["verify", "--partial"],
      ["workers"],
      ["rates", "list"],
      ["routes", "set", "art", "depot"],
    ])
      expect([words, await away(...words)]).toEqual([
        words,
        { code: 69, out: "", err: expect.stringMatching(line) },
      ]);
    const stock = await away("stock");
    expect(stock).toMatchObject({ code: 69, err: expect.stringMatching(line) });
    expect(stock.out).toContain("?");
    expect(JSON.parse((await away("stock", "--json")).out).stock).toMatchObject([{ items: null }]);
  },
  TIMEOUT_MS,
);

test(
  "a reader that goes away ends a command quietly; the version; an unknown command",
  async () => {
    const dir = testDir("cli-pipe");
    const url = `sqlite:${join(dir, "ledger.db")}`;
    mkdirSync(dir, { recursive: true });
    const ledger = await openLedger({ runtime: realRuntime, url, shards: 2 });
    for (let n = 0; n < 300; n++)
      await onRecord(ledger, { action: "dead.drop", target: "x".repeat(1_000) }, async () => n);
    await ledger.close();
    const stores = { SLUICE_REDIS_URL: "redis://127.0.0.1:1", SLUICE_REGIONS: "eu=amqp://a/b" };
    const audit = `"${process.execPath}" "${CLI}" audit --limit 300`;
    const line = `${audit} | head -1; echo \${PIPESTATUS[0]}`;
    const env = { ...bare, ...stores, SLUICE_DATA: dir, SLUICE_LEDGER_URL: url };
    const piped = await outputOf(["bash", "-c", line], { env });
    expect(piped).toMatchObject({ err: "", out: expect.stringMatching(/^entry .*\n141\n$/) });

    const { version } = (await Bun.file("package.json").json()) as { version: string };
    expect(await sluice(dir, "--version")).toEqual({
      code: 0,
      err: "",
      out: `sluice ${version}\n`,
    });
    expect(await sluice(dir, "ordrs")).toEqual({
      code: 2,
      out: "",
      err: "sluice: unknown command 'ordrs'\ndid you mean 'orders'?\nsee: ./sluice help\n",
    });
  },
  TIMEOUT_MS,
);
