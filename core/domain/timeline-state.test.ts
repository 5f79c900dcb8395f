// What becomes an event of the day, and what does not.
import { expect, test } from "bun:test";
import type { Overview } from "./overview.ts";
import { gatewayReport, overviewOf, paymentsReport, workerReport } from "./test-reports.ts";
import { eventsOf, notOnRecord, type TimelineState, TimelineWatch } from "./timeline-state.ts";
import { verdict } from "./verdict.ts";

const START = 1_000_000;
/** At `second` after the start, with a verdict of its own. */
function at(second: number, change: Partial<Overview> = {}): Overview {
  const facts = overviewOf({ atMs: START + 1_000 * second, ...change });
  return { ...facts, verdict: verdict(facts, { rateMaxAgeMs: 60_000 }) };
}
const words = (watch: TimelineWatch, overview: Overview) =>
  eventsOf(watch.look(overview)).map(({ kind, what }) => `${kind}: ${what}`);

function settled(): TimelineWatch {
  const watch = new TimelineWatch({});
  watch.look(at(0));
  return watch;
}

test("a first look records who runs and what is open; the same again records nothing", () => {
  const watch = new TimelineWatch({});
  expect(words(watch, at(0)).sort()).toEqual([
    "role_started: the gateway eu.gateway has started",
    "role_started: the payment worker payments-1 has started",
    "role_started: the worker worker-1 has started",
    "sale_opened: sale spring is open",
    "shard_moved: shard 0 moved to worker-1",
  ]);
  expect(words(watch, at(2))).toEqual([]);
});

test("a killed worker is lost, its shards move as one event, and it starts again", () => {
  const three = [0, 1, 2].map((shard) => ({ shard, worker: "worker-1" }));
  const watch = new TimelineWatch({});
  const others = [gatewayReport({}), paymentsReport()];
  const both = [...others, workerReport({}), workerReport({ id: "worker-2" })];
  watch.look(at(0, { shardCount: 3, owners: three, roles: both }));
  const lost = [{ id: "worker-1", kind: "worker" as const, lastSeenMs: START + 1 }];
  const moved = { shardCount: 3, owners: three.map((o) => ({ ...o, worker: "worker-2" })) };
  const without = both.filter(({ id }) => id !== "worker-1");
  expect(words(watch, at(3, { ...moved, roles: without, lost }))).toEqual([
    "shard_moved: shards 0, 1 and 2 moved from worker-1 to worker-2",
  ]);
  expect(words(watch, at(10, { ...moved, roles: without, lost }))).toContain(
    "role_lost: the worker worker-1 has stopped reporting",
  );
  const back = [...without, workerReport({ sinceMs: START + 11_000 })];
  expect(words(watch, at(12, { ...moved, roles: back }))).toContain(
    "role_started: the worker worker-1 has started",
  );
});

test("a role that is slowed for less than half a minute is no event; a longer one is", () => {
  const { governor } = workerReport({});
  const slow = workerReport({ governor: { ...governor, state: "slowed", reasons: ["redis_ms"] } });
  const slowed = { roles: [gatewayReport({}), paymentsReport(), slow] };
  const watch = settled();
  expect(words(watch, at(2, slowed))).toEqual([]);
  expect(words(watch, at(31, slowed))).toEqual([]);
  expect(words(watch, at(32, slowed))).toEqual(["alarm_raised: worker-1 is slowed: Redis is slow"]);
  expect(words(watch, at(34))).toEqual([]);
  expect(words(watch, at(40, slowed))).toEqual([]);
  expect(words(watch, at(42))).toEqual([]);
  expect(words(watch, at(72))).toEqual(["alarm_ended: over: worker-1 is slowed: Redis is slow"]);
});

test("while Redis is away, nobody has stopped and no alarm is over, but it is away", () => {
  const watch = settled();
  const dead = [{ queue: "orders.dead", region: "eu", messages: 2, atMs: START, sinceMs: START }];
  watch.look(at(1, { dead }));
  watch.look(at(4, { dead }));
  const away = { state: "away", usedBytes: null, maxBytes: null } as const;
  const dark = { redis: away, unasked: ["redis"], roles: [], owners: [] };
  expect(words(watch, at(5, dark))).toEqual([]);
  expect(words(watch, at(30, dark))).toEqual([
    "alarm_raised: Redis does not answer: its figures are the last known ones",
  ]);
  expect(words(watch, at(90, dark))).toEqual([]);
  words(watch, at(91));
  expect(words(watch, at(102)).sort()).toEqual([
    "alarm_ended: over: 2 dead letters in orders.dead of eu",
    expect.stringMatching(/^alarm_ended: over: Redis does not answer/),
  ]);
});

test("what flickers is not recorded, and a changed figure is no new alarm", () => {
  const watch = settled();
  const dead = (messages: number) => ({
    dead: [{ queue: "orders.dead", region: "eu", messages, atMs: START, sinceMs: START }],
  });
  expect(words(watch, at(1, dead(1)))).toEqual([]);
  expect(words(watch, at(2))).toEqual([]);
  expect(words(watch, at(3, dead(1)))).toEqual([]);
  expect(words(watch, at(6, dead(2)))).toEqual([
    "alarm_raised: 2 dead letters in orders.dead of eu",
  ]);
  expect(words(watch, at(60, dead(700)))).toEqual([]);
});

test("admission, a region, a halt and a sale's end have kinds of their own", () => {
  const watch = settled();
  const pressed = gatewayReport({ admission: "closed", reasons: ["stalled"], broker: "away" });
  const change = {
    roles: [pressed, paymentsReport(), workerReport({})],
    halt: { reason: "behind", atMs: 1 },
  };
  watch.look(at(1, change));
  const kinds = watch.look(at(7, change)).map(({ event }) => event.kind);
  expect(kinds.sort()).toEqual(["admission", "halted", "region_away"]);
  const closed = eventsOf(watch.look(at(3_700, { sales: overviewOf({ atMs: START }).sales })));
  expect(closed.map(({ kind, atMs }) => [kind, atMs])).toContainEqual([
    "sale_closed",
    START + 3_600_000,
  ]);
});

test("a new writer leaves out what its predecessor has recorded, and nothing else", () => {
  const change = (name: string, from: string, to: string, atMs: number) => ({
    ...{ name, from, to, noticedMs: atMs },
    event: { atMs, kind: "shard_moved" as const, subject: to, what: "x" },
  });
  const seen = [
    change("shard 0", "a", "b", 10),
    change("shard 1", "a", "b", 11),
    change("shard 0", "b", "c", 30),
  ];
  const left = (state: TimelineState, writtenMs: number) =>
    notOnRecord(seen, state, writtenMs).map(({ name, to }) => `${name} ${to}`);
  expect(left({ "shard 0": "b", "shard 1": "a" }, 20)).toEqual(["shard 1 b", "shard 0 c"]);
  expect(left({ "shard 0": "c", "shard 1": "b" }, 40)).toEqual([]);
  expect(left({ "shard 0": "a", "shard 1": "a" }, 5)).toHaveLength(3);
});

test("a worker that was frozen reports again; it does not start", () => {
  const watch = new TimelineWatch({});
  // It rebuilt Redis before; that is no news when it is back.
  const back = { roles: [gatewayReport({}), paymentsReport(), workerReport({ rebuilds: 1 })] };
  watch.look(at(0, back));
  const frozen = { roles: [gatewayReport({}), paymentsReport()] };
  const lost = [{ id: "worker-1", kind: "worker" as const, lastSeenMs: START + 59_000 }];
  expect(words(watch, at(60, { ...frozen, lost }))).toEqual([]);
  expect(words(watch, at(70, { ...frozen, lost }))).toContain(
    "role_lost: the worker worker-1 has stopped reporting",
  );
  for (const second of [100, 130])
    expect(words(watch, at(second, { ...frozen, lost }))).toEqual([]);
  expect(words(watch, at(140, back))).toEqual(["role_back: the worker worker-1 reports again"]);
});

test("a rebuild whose beginning and end went unseen is on record: its worker counts it", () => {
  const watch = settled();
  const rebuilt = (rebuilds: number) => ({
    roles: [gatewayReport({}), paymentsReport(), workerReport({ rebuilds })],
  });
  const what = "rebuild_ended: Redis was rebuilt from the ledger by worker-1";
  expect(words(watch, at(2, rebuilt(1)))).toEqual([what]);
  expect(words(watch, at(4, rebuilt(1)))).toEqual([]);
  expect(words(watch, at(6, rebuilt(2)))).toEqual([what]);
});

test("a rebuild of a moment has its beginning on record; one that was seen has it once", () => {
  const watch = settled();
  const worker = (change: object) => ({
    roles: [gatewayReport({}), paymentsReport(), workerReport(change)],
  });
  const brief = { rebuilds: 1, rebuildTookMs: 1_300 };
  const all = eventsOf(watch.look(at(60, worker(brief))));
  expect(all.map(({ atMs, kind, what }) => [atMs - START, kind, what])).toEqual([
    [58_700, "rebuild_began", "Redis is being rebuilt by worker-1"],
    [60_000, "rebuild_ended", "Redis was rebuilt from the ledger by worker-1, in 1.3 s"],
  ]);
  const busy = { ...brief, state: "rebuilding" };
  watch.look(at(70, worker(busy)));
  const kinds = [73, 80].flatMap((second) =>
    watch
      .look(at(second, worker(second < 80 ? busy : { rebuilds: 2, rebuildTookMs: 9_000 })))
      .flatMap(({ event, before }) => [...(before ? [before.kind] : []), event.kind]),
  );
  expect(kinds).toEqual(["rebuild_began", "rebuild_ended"]);
});

test("nobody says that a role has stopped that left while Redis was away, or forgot it", () => {
  const roles = [gatewayReport({}), paymentsReport()];
  const unknown = "role_stopped: the worker worker-1 is gone; no gateway saw how it ended";
  const away = settled();
  const last = { unasked: ["redis"], roles: [...roles, workerReport({})] };
  away.look(at(60, last));
  away.look(at(62, { roles }));
  expect(words(away, at(70, { roles }))).toContain(unknown);
  // Redis was empty for less than a look: another worker has rebuilt it.
  const other = (rebuilds: number) => workerReport({ id: "worker-2", rebuilds });
  const forgot = new TimelineWatch({});
  forgot.look(at(0, { roles: [...roles, workerReport({}), other(0)] }));
  forgot.look(at(2, { roles: [...roles, other(0)] }));
  forgot.look(at(4, { roles: [...roles, other(1)] }));
  expect(words(forgot, at(9, { roles: [...roles, other(1)] }))).toContain(unknown);
  const orderly = settled();
  orderly.look(at(60, { roles }));
  expect(words(orderly, at(70, { roles }))).toContain(
    "role_stopped: the worker worker-1 has stopped",
  );
});

test("what a gateway that has just started does not know is not over", () => {
  const dead = [{ queue: "orders.dead", region: "eu", messages: 2, atMs: START, sinceMs: START }];
  const watch = settled();
  watch.look(at(1, { dead }));
  watch.look(at(4, { dead }));
  const asOf = { ...overviewOf().asOf, dead: null };
  expect(words(watch, at(6, { asOf }))).toEqual([]);
  expect(words(watch, at(30, { asOf }))).toEqual([]);
  expect(words(watch, at(40, { dead }))).toEqual([]);
  expect(words(watch, at(42))).toEqual([]);
  expect(words(watch, at(60))).toEqual(["alarm_ended: over: 2 dead letters in orders.dead of eu"]);
});

test("a service that nobody runs is not over while its broker or its count is away", () => {
  const counts = [{ service: "shoemaker", region: "eu", messages: 1, consumers: 0 }];
  const roles = [gatewayReport({}), paymentsReport(), workerReport({ services: counts })];
  const routing = [{ category: "shoes", saleId: "spring", service: "shoemaker", waiting: 1 }];
  const watch = settled();
  watch.look(at(1, { roles, routing }));
  watch.look(at(4, { roles, routing }));
  const silent = { roles, unasked: ["broker eu"] };
  const kinds = (from: number, change: Partial<Overview>) =>
    [from, from + 20].flatMap((second) =>
      watch.look(at(second, change)).map(({ event }) => event.kind),
    );
  expect(kinds(10, silent)).toEqual([]);
  // The next worker that counts has not yet.
  expect(kinds(40, {})).toEqual([]);
  expect(kinds(70, { roles })).toEqual(["alarm_ended"]);
});

test("waiting orders are not over because the worker that knew it, or its broker, is gone", () => {
  const region = { region: "eu", lagMs: 60_000, ready: 9, lookedAtMs: 0 };
  const shards = [{ shard: 0, regions: [region], load: 1, parked: 0 }];
  const late = { roles: [gatewayReport({}), paymentsReport(), workerReport({ shards })] };
  const watch = settled();
  watch.look(at(1, late));
  watch.look(at(4, late));
  const over = (from: number, change: Partial<Overview>) =>
    [from, from + 20].flatMap((second) =>
      words(watch, at(second, change)).filter((w) => w.includes("orders of shard")),
    );
  expect(over(10, { roles: [gatewayReport({}), paymentsReport()] })).toEqual([]);
  expect(over(40, { unasked: ["broker eu"] })).toEqual([]);
  expect(over(70, {})).toEqual(["alarm_ended: over: orders of shard 0 wait 1 min"]);
});

test("of a role that no gateway saw end, the next one does not say that it has stopped", () => {
  const record = settled().state;
  const watch = new TimelineWatch(record);
  const roles = [gatewayReport({}), paymentsReport()];
  watch.look(at(60, { roles }));
  expect(words(watch, at(70, { roles }))).toContain(
    "role_stopped: the worker worker-1 is gone; no gateway saw how it ended",
  );
});

test("a sale is opened when that happened, not when its window says if that is earlier", () => {
  const [spring] = at(0).sales;
  const sale = (opensAtMs: number, closesAtMs = START + 9_000_000) => ({
    sales: [{ ...(spring as NonNullable<typeof spring>), opensAtMs, closesAtMs }],
  });
  const opened = (watch: TimelineWatch, overview: Overview) =>
    watch
      .look(overview)
      .flatMap(({ event: { kind, atMs, what } }) =>
        kind.startsWith("sale") ? [`${(atMs - START) / 1_000} ${what}`] : [],
      );
  // A year ago; nobody had looked before.
  expect(opened(new TimelineWatch({}), at(7, sale(START - 1e10)))).toEqual([
    "7 sale spring is open",
  ]);
  const watch = new TimelineWatch({});
  expect(opened(watch, at(0, { sales: [] }))).toEqual([]);
  // Created as open: with a window of long ago.
  expect(opened(watch, at(20, sale(START - 1e10)))).toEqual(["20 sale spring is open"]);
  expect(opened(watch, at(30, sale(START - 1e10, START + 29_000)))).toEqual([
    "29 sale spring has closed",
  ]);
  expect(opened(watch, at(40, sale(START - 1e10)))).toEqual(["40 sale spring is open"]);
  expect(opened(watch, at(50, sale(START + 60_000)))).toEqual([]);
  // It opened while nobody looked.
  const next = new TimelineWatch(watch.state);
  expect(opened(next, at(90, sale(START + 60_000)))).toEqual(["60 sale spring has opened"]);
});
