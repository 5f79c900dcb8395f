// Two gateways on one ledger: each change is on record once, by either of them. None is lost with a
// writer, or while the ledger is away.
import { afterAll, expect, test } from "bun:test";
import type { Overview } from "../../core/domain/overview.ts";
import { gatewayReport, overviewOf, workerReport } from "../../core/domain/test-reports.ts";
import { verdict } from "../../core/domain/verdict.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { VirtualRuntime } from "../../core/runtime/testing.ts";
import type { LedgerWriter } from "../../ledger/contract.ts";
import { openLedger, openLedgerWriter } from "../../ledger/open.ts";
import { testDir } from "../../test/services.ts";
import { OperatorActions } from "../operator/operator-actions.ts";
import { TimelineKeeper } from "./timeline-keeper.ts";

const closing: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const one of closing) await one.close();
});

async function rig() {
  const url = `sqlite:${testDir("keeper")}/ledger.db`;
  const ledger = await openLedger({ runtime: realRuntime, url, shards: 1 });
  const writer = await openLedgerWriter(realRuntime, url);
  closing.push(ledger, writer);
  const runtime = new VirtualRuntime();
  const world = {
    change: { roles: [GATEWAY, WORKER] } as Partial<Overview>,
    writable: true,
    answers: true,
    leaseEnds: false,
  };
  /** A write waits for it. */
  const locked: { until: PromiseWithResolvers<void> | undefined } = { until: undefined };
  const startMs = Date.now();
  const look = async (): Promise<Overview> => {
    const facts = overviewOf({ atMs: startMs + runtime.monotonicMs(), ...world.change });
    return { ...facts, verdict: verdict(facts, { rateMaxAgeMs: 60_000 }) };
  };
  const through: LedgerWriter["keepTimeline"] = async (addition) => {
    await locked.until?.promise;
    if (!world.writable) throw new Error("the ledger is away");
    const leaseMs = world.leaseEnds ? 0 : addition.leaseMs;
    const kept = await writer.keepTimeline({ ...addition, leaseMs });
    if (!world.answers) throw new Error("no answer");
    return kept;
  };
  const gateway = (id: string) =>
    new TimelineKeeper({
      ...{ runtime, id, overview: look, writer: { keepTimeline: through } },
      actions: new OperatorActions(ledger, Date.now),
    });
  /** Rounds, two seconds apart; a ledger that is away fails a round, as its timer's would. */
  const rounds = async (n: number, ...keepers: TimelineKeeper[]) => {
    for (let i = 0; i < n; i++) {
      runtime.pass(2_000);
      for (const keeper of keepers) await keeper.look().catch(() => undefined);
    }
  };
  const recorded = async () =>
    (await ledger.timeline({ limit: 100 }))
      .toReversed()
      .map(({ kind, subject }) => [kind, subject]);
  return { ledger, world, gateway, rounds, recorded, runtime, locked };
}

const NOW = Date.now();
const GATEWAY = gatewayReport({ sinceMs: NOW });
const WORKER = workerReport({ sinceMs: NOW });
const killed = {
  roles: [GATEWAY],
  owners: [],
  lost: [{ id: "worker-1", kind: "worker" as const, lastSeenMs: NOW }],
};
const OF_WORKER = ["role_lost", "worker-1"];

test("two gateways record a change once, also when its writer is gone", async () => {
  const { world, gateway, rounds, recorded } = await rig();
  const [a, b] = [gateway("a"), gateway("b")];
  await rounds(4, a, b);
  const before = await recorded();
  expect(before.filter(([, subject]) => subject === "worker-1")).toEqual([
    ["role_started", "worker-1"],
    ["shard_moved", "worker-1"],
  ]);
  // Both notice it, then the writer is gone: its lease ends, and the other one continues.
  world.leaseEnds = true;
  await rounds(3, a);
  world.leaseEnds = false;
  world.change = killed;
  await rounds(8, b);
  await rounds(6, a, b);
  const all = await recorded();
  expect(all.filter(([kind]) => kind === "role_lost")).toEqual([OF_WORKER]);
  expect(all.filter(([kind]) => kind === "role_started")).toHaveLength(2);
  expect(all.filter(([kind]) => kind === "shard_moved")).toHaveLength(1);
}, 30_000);

test("what happened while the ledger was away is recorded when it is back", async () => {
  const { world, gateway, rounds, recorded } = await rig();
  const only = gateway("a");
  await rounds(4, only);
  world.writable = false;
  world.change = killed;
  await rounds(10, only);
  world.change = { roles: [GATEWAY, workerReport({ sinceMs: NOW + 1 })] };
  await rounds(10, only);
  expect((await recorded()).filter(([kind]) => kind === "role_lost")).toEqual([]);
  world.writable = true;
  await rounds(4, only);
  const of = (await recorded()).filter(([, subject]) => subject === "worker-1");
  expect(of.map(([kind]) => kind).sort()).toEqual([
    ...["role_lost", "role_started", "role_started", "shard_moved"],
  ]);
}, 30_000);

test("a write whose answer is lost is recorded once, with what happened meanwhile", async () => {
  const { ledger, world, gateway, rounds, recorded } = await rig();
  const only = gateway("a");
  await rounds(4, only);
  world.answers = false;
  world.change = killed;
  const seq = await ledger.auditBegin({
    ...{ subject: "ops", action: "sales.close", target: "spring", detail: "{}" },
  });
  await ledger.auditEnd(seq, { target: "spring", detail: "{}", status: 200 });
  await rounds(5, only);
  // Begins and ends without a trace in the state on record.
  world.writable = false;
  world.change = { roles: [GATEWAY, workerReport({ id: "worker-2", sinceMs: NOW })] };
  await rounds(5, only);
  world.change = killed;
  await rounds(60, only);
  [world.writable, world.answers] = [true, true];
  await rounds(6, only);
  const all = await recorded();
  const count = (kind: string, subject: string) =>
    all.filter((event) => event.join() === `${kind},${subject}`).length;
  expect([count("role_lost", "worker-1"), count("operator", "ops")]).toEqual([1, 1]);
  expect([count("role_started", "worker-2"), count("role_stopped", "worker-2")]).toEqual([1, 1]);
}, 30_000);

test("a minute in which a worker was killed is incomplete, and has what it reported", async () => {
  const { ledger, world, gateway, rounds } = await rig();
  const only = gateway("a");
  let cpuSeconds = 0;
  /** A second of life, so that its report is another one. */
  const worker = (reserved: number, id = "worker-1", sinceMs = NOW) =>
    workerReport({ id, sinceMs, outcomes: { reserved }, cpuSeconds: ++cpuSeconds });
  const each = async (looks: number, roles: () => Overview["roles"]) => {
    for (let i = 0; i < looks; i++) {
      world.change = { roles: [{ ...GATEWAY, cpuSeconds: ++cpuSeconds }, ...roles()] };
      await rounds(1, only);
    }
  };
  await each(40, () => [worker(3)]);
  await each(5, () => [worker(10)]);
  await each(30, () => []);
  const startedMs = Date.now() + 3_600_000;
  await each(3, () => [worker(5, "worker-2", startedMs)]);
  await each(62, () => [worker(6, "worker-2", startedMs)]);
  const minutes = await ledger.history(0);
  expect(minutes.reduce((sum, m) => sum + (m.decided?.reserved ?? 0), 0)).toBe(7 + 6);
  // The first one may be a part of a minute.
  expect(minutes.slice(1).filter((m) => m.incomplete)).toHaveLength(1);
  expect(minutes.at(-1)?.incomplete).toBeUndefined();
}, 30_000);

test("a minute has its figures, and an operator's change is in the list once", async () => {
  const { ledger, world, gateway, rounds, recorded } = await rig();
  const [a, b] = [gateway("a"), gateway("b")];
  await rounds(4, a, b);
  const seq = await ledger.auditBegin({
    ...{ subject: "ops", action: "sales.close", target: "spring", detail: "{}" },
  });
  await ledger.auditEnd(seq, { target: "spring", detail: "{}", status: 200 });
  const rows = { confirmed: 0, shed: 0, unconfirmed: 0 };
  const sinceMs = NOW;
  world.change = { roles: [gatewayReport({ rows, sinceMs }), WORKER] };
  await rounds(32, a, b);
  world.change = {
    roles: [
      gatewayReport({ sinceMs, rows: { ...rows, confirmed: 90 } }),
      workerReport({ sinceMs, outcomes: { sold_out: 80 } }),
    ],
  };
  await rounds(62, a, b);
  const minutes = await ledger.history(0);
  expect(minutes.length).toBeGreaterThanOrEqual(2);
  expect(minutes.reduce((sum, m) => sum + (m.accepted ?? 0), 0)).toBe(90);
  expect(minutes.find((m) => m.accepted === 90)?.unitsLeft).toEqual({ spring: 4 });
  expect((await recorded()).filter(([kind]) => kind === "operator")).toEqual([["operator", "ops"]]);
}, 30_000);

test("while a write waits for the ledger, what happens is noticed and written later", async () => {
  const { world, gateway, rounds, recorded, runtime, locked } = await rig();
  const keeper = gateway("a");
  await rounds(4, keeper);
  locked.until = Promise.withResolvers();
  const away = { region: "eu", state: "away" as const };
  const without = { roles: [GATEWAY, { ...WORKER, brokers: [away] }] };
  await settle(runtime, 8_000);
  world.change = without;
  await settle(runtime, 20_000);
  world.change = { roles: [GATEWAY, WORKER] };
  await settle(runtime, 20_000);
  locked.until.resolve();
  locked.until = undefined;
  await settle(runtime, 20_000);
  expect(await recorded()).toEqual(
    expect.arrayContaining([
      ["region_away", "eu"],
      ["region_back", "eu"],
    ]),
  );
  keeper.stop();
});

/** Time passes by a second at a time; the real ledger has a moment for each. */
async function settle(runtime: VirtualRuntime, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1_000) {
    await runtime.advance(1_000);
    await Bun.sleep(5);
  }
}

test("a time in which no gateway looked is an entry; one that was watched is none", async () => {
  const { ledger, gateway, rounds, recorded, runtime, world } = await rig();
  const gaps = async () =>
    (await ledger.timeline({ limit: 100 })).filter(({ kind }) => kind === "unwatched");
  const [a, b] = [gateway("a"), gateway("b")];
  await rounds(8, a, b);
  // The one that writes is frozen, and the other takes over.
  world.leaseEnds = true;
  await rounds(4, a);
  world.leaseEnds = false;
  await rounds(40, b);
  await rounds(10, a, b);
  // A ledger that is away hinders nobody from looking.
  world.writable = false;
  await rounds(40, a, b);
  world.writable = true;
  await rounds(10, a, b);
  expect(await gaps()).toEqual([]);
  const before = (await ledger.timeline({ limit: 1 })).length;
  expect(before).toBe(1);
  runtime.pass(60_000);
  await rounds(10, a, b);
  expect(await gaps()).toMatchObject([
    {
      subject: "all gateways",
      what: expect.stringMatching(
        /^no gateway looked for 1 min from here on; what began and ended/,
      ),
    },
  ]);
  // All have ended; another starts much later, once the lease is free.
  runtime.pass(3_600_000);
  world.leaseEnds = true;
  await rounds(6, gateway("b"));
  world.leaseEnds = false;
  const late = gateway("c");
  runtime.pass(600_000);
  await rounds(8, late);
  expect(await gaps()).toHaveLength(3);
  expect(await recorded()).toContainEqual(["unwatched", "all gateways"]);
}, 30_000);
