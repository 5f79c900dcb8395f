import { expect, test } from "bun:test";
import { FINDINGS } from "../../core/domain/finding.ts";
import { workerReport } from "../../core/domain/test-reports.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { readSettings } from "../../core/settings/settings.ts";
import { Members } from "../../core/stores/members.ts";
import { RedisStore } from "../../core/stores/redis.ts";
import { openLedger } from "../../ledger/open.ts";
import { recordProcess } from "../../services/processes.ts";
import { startRedis } from "../../services/redis.ts";
import { testDir, testRabbit, testRedis } from "../../test/services.ts";
import { checkMachine } from "./machine.ts";
import { checkServices } from "./services.ts";
import { checkVerdict } from "./verdict.ts";

const SERVES = { unread: new Set<string>(), insteadOfWorkers: undefined };

test("each unreachable service is named with its setting", async () => {
  const found = await checkServices(
    readSettings({
      SLUICE_REDIS_URL: "redis://127.0.0.1:1",
      SLUICE_REGIONS: "eu=amqp://127.0.0.1:1",
      SLUICE_LEDGER_URL: "sqlite:/proc/none",
    }),
    SERVES,
  );
  expect(found.map(({ what, state }) => [what, state])).toEqual([
    ["Redis", "fail"],
    ["broker eu", "fail"],
    ["ledger", "fail"],
  ]);
  expect(found.map(({ fix }) => fix).join()).toMatch(
    /SLUICE_REDIS_URL.*SLUICE_REGIONS.*SLUICE_LEDGER_URL/,
  );
});

test("a broker without queues is inspected and not changed", async () => {
  const url = await (await testRabbit()).freshVhost();
  const settings = readSettings({
    SLUICE_REDIS_URL: (await testRedis()).url,
    SLUICE_REGIONS: `eu=${url}`,
  });
  for (let look = 0; look < 2; look++) {
    const found = await checkServices(settings, SERVES);
    expect(found.find(({ what }) => what === "broker eu")?.detail).toContain(
      "queues that do not exist",
    );
    // The tests' Redis keeps nothing on disk, and need not.
    const redis = found.filter(({ what }) => what === "Redis").map(({ detail }) => detail);
    expect(redis.join()).not.toContain("disk");
  }
}, 60_000);

test("an impossible data folder is named with its setting", async () => {
  const dir = testDir("doctor");
  await Bun.write(`${dir}/file`, "");
  const look = (path: string) =>
    checkMachine(readSettings({ SLUICE_DATA: path })).find(({ what }) => what === "data folder");
  expect(look(`${dir}/file`)).toMatchObject({
    state: "fail",
    fix: "choose another with SLUICE_DATA",
  });
  expect(look(`${dir}/not/yet/there`)?.state).not.toBe("fail");
});

test("a recorded halt is shown while Redis is away, or refuses to serve", async () => {
  const dir = testDir("halted");
  const url = `sqlite:${dir}/ledger.db`;
  const shards = 2;
  const ledger = await openLedger({ runtime: realRuntime, url, shards });
  await ledger.recordHalt("the ledger has lost entries");
  await ledger.close();
  const guarded = await startRedis(`${dir}/redis`, { password: true });
  const look = (redis: string) =>
    checkVerdict(
      readSettings({
        ...{ SLUICE_REDIS_URL: redis, SLUICE_LEDGER_URL: url, SLUICE_SHARDS: String(shards) },
      }),
    );
  const stranger = `redis://127.0.0.1:${guarded.port}`;
  // Nothing of those that only Redis can tell, such as missing roles.
  for (const redis of ["redis://127.0.0.1:1", stranger])
    expect((await look(redis)).findings.map(({ what, state, fix }) => [what, state, fix])).toEqual([
      ["halted", "fail", FINDINGS.halted.next],
      ["no sale", "note", FINDINGS.no_sale.next],
    ]);
  await guarded.kill();
}, 60_000);

test("a halt that a worker reports is shown while the ledger is away", async () => {
  const own = await startRedis(testDir("reported"), { persistence: false });
  const { url } = own;
  const redis = new RedisStore({ runtime: realRuntime, url, onError: () => undefined });
  const state = "halted: the ledger has lost entries";
  await redis.connect();
  await new Members(redis).beat("worker-1", 60_000, JSON.stringify(workerReport({ state })), []);
  const look = () =>
    checkVerdict(
      readSettings({
        ...{ SLUICE_REDIS_URL: url, SLUICE_LEDGER_URL: "sqlite:/proc/none", SLUICE_SHARDS: "1" },
      }),
    );
  const { findings: found } = await look();
  expect(found).toContainEqual(expect.objectContaining({ what: "halted", state: "fail" }));
  // What only the ledger knows is not concluded.
  expect(found.map(({ what }) => what)).not.toContain("no sale");
  await redis.close();
  await own.kill();
}, 60_000);

test("what 'up' recorded of its stores is validated when it is read", async () => {
  const dir = testDir("kept");
  recordProcess(dir, "up", process.pid);
  const Redis = {
    ...{ state: "serves", why: "", sinceMs: 1, restarts: 2, restartedMs: 1_000 },
    restartedFor: "it did not serve for 60 s: no answer",
  };
  const odd = { none: null, asleep: { ...Redis, state: "asleep" }, never: { state: "down" } };
  for (const [text, names] of [
    [JSON.stringify({ Redis, ...odd }), ["Redis of sluice up"]],
    ["{", []],
    ["[]", []],
  ] as const) {
    await Bun.write(`${dir}/kept.json`, text);
    const found = checkMachine(readSettings({ SLUICE_DATA: dir }));
    const kept = found.filter(({ what }) => what.endsWith("of sluice up"));
    expect(kept.map(({ what }) => what)).toEqual([...names]);
    for (const { detail } of kept) expect(detail).toContain("started again 2 times");
  }
});

test("of roles it is not said that they are missing while Redis has just started", async () => {
  const dir = testDir("doctor-started");
  const redis = await startRedis(`${dir}/redis`, { persistence: false });
  const settings = readSettings({
    SLUICE_REDIS_URL: redis.url,
    SLUICE_LEDGER_URL: `sqlite:${dir}/ledger.db`,
  });
  const ledger = await openLedger({
    ...{ runtime: realRuntime, url: settings.ledgerUrl, shards: settings.shards },
  });
  await ledger.close();
  try {
    const { findings } = await checkVerdict(settings);
    expect(findings.filter(({ state }) => state === "fail")).toEqual([]);
    expect(findings).toContainEqual({
      what: "roles",
      state: "warn",
      detail: "unknown: Redis has just started; not all roles have reported yet",
      fix: "run doctor again in a few seconds",
    });
  } finally {
    await redis.kill();
  }
}, 60_000);
