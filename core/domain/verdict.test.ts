// Each condition by the overview that shows it: what is said, of whom, since when, and what not.
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { anchorOf, FINDINGS, type FindingCode } from "./finding.ts";
import type { Overview } from "./overview.ts";
import type {
  AdmissionState,
  FulfilReport,
  GatewayReport,
  GovernorState,
  ShardAdmission,
  WorkerReport,
} from "./report.ts";
import { gatewayReport, overviewOf, paymentsReport, workerReport } from "./test-reports.ts";
import { verdict } from "./verdict.ts";

const NOW = 1_000_000;
const LIMITS = { rateMaxAgeMs: 60_000 };
const found = (change: Partial<Overview>) =>
  verdict(overviewOf({ atMs: NOW, ...change }), LIMITS).findings;
const codes = (change: Partial<Overview>) => found(change).map(({ code }) => code);
const withWorker = (change: Partial<WorkerReport>) => [
  gatewayReport({}),
  paymentsReport(),
  workerReport(change),
];

test("a system in which everything answers has no findings", () => {
  expect(verdict(overviewOf(), LIMITS)).toEqual({ level: "ok", findings: [] });
});

test("while Redis is away, nothing is concluded from who does not report", () => {
  const away = { state: "away", usedBytes: null, maxBytes: null } as const;
  const asOf = { ...overviewOf().asOf, roles: NOW - 125_000 };
  const [only, ...others] = found({
    redis: away,
    asOf,
    unasked: ["redis"],
    roles: [],
    owners: [],
    lost: [{ id: "worker-1", kind: "worker", lastSeenMs: 1 }],
  });
  expect(others).toEqual([]);
  expect(only).toMatchObject({ code: "redis_away", level: "trouble", sinceMs: NOW - 125_000 });
  expect(only?.what).toContain("the last known ones, 2 min old");
  const [never] = found({ redis: away, asOf: { ...asOf, roles: null }, unasked: ["redis"] });
  expect(never?.what).toContain("its figures are unknown");
});

test("a Redis that takes no writes is what is wrong, not the processes that cannot report", () => {
  const redis = { state: "up", refuses: "full", usedBytes: 150, maxBytes: 100 } as const;
  const lost = [{ id: "worker-1", kind: "worker" as const, lastSeenMs: 1 }];
  const seen = found({ redis, unasked: ["redis"], roles: [], owners: [], lost });
  expect(seen.map(({ code, level, what }) => [code, level, what])).toEqual([
    ["redis_refuses", "trouble", "Redis takes no writes: it is full"],
  ]);
  const replica = { ...redis, refuses: "read_only" };
  expect(codes({ redis: replica, unasked: ["redis"] })).toEqual(["redis_refuses", "redis_memory"]);
});

test("while Redis, which has the rates, is away, none of them is said to be old", () => {
  const rates = { pairs: 2, newestAtMs: NOW - 61_000 };
  expect(codes({ rates })).toEqual(["rates_stale"]);
  const redis = { state: "away", usedBytes: null, maxBytes: null } as const;
  expect(codes({ rates, redis, unasked: ["redis"] })).toEqual(["redis_away"]);
});

test("a process that was started again is no trouble; one that was not is lost", () => {
  const lost = [{ id: "worker-1-aaaaaaaa", kind: "worker" as const, lastSeenMs: NOW - 9_000 }];
  const of = (id: string, sinceMs: number) =>
    found({ lost, roles: withWorker({ id, sinceMs }) }).map(({ code, what, next }) => [
      ...[code, what, next],
    ]);
  expect(of("worker-1-bbbbbbbb", NOW - 8_000)).toEqual([
    [
      "role_restarted",
      "the worker worker-1-aaaaaaaa ended, and worker-1-bbbbbbbb took its place",
      "'sluice logs worker-1' may say why it ended",
    ],
  ]);
  const gateway = { id: "eu.gateway-eu-aaaaaaaa", kind: "gateway" as const, lastSeenMs: 1 };
  const again = [gatewayReport({ id: "eu.gateway-eu-bbbbbbbb", sinceMs: 5 }), ...withWorker({})];
  expect(found({ lost: [gateway], roles: again })[0]?.next).toMatch(/^'sluice logs gateway-eu'/);
  expect(of("worker-2-bbbbbbbb", NOW - 8_000)[0]?.[0]).toBe("role_lost");
  // It ran before, beside the one that is lost.
  expect(of("worker-1-bbbbbbbb", NOW - 60_000)[0]?.[0]).toBe("role_lost");
});

test("while the ledger is away, the sales it last knew are no reason to say there is none", () => {
  const asOf = { ...overviewOf().asOf, sales: null };
  expect(codes({ ledger: { state: "away" }, unasked: ["ledger"], sales: [], asOf })).toEqual([
    "ledger_away",
  ]);
});

test("a halt has its cause, its time and both ways out; the shards it stops are no finding", () => {
  const roles = withWorker({ state: "halted: the ledger is behind" });
  const [halt, ...others] = found({ roles, owners: [], halt: { reason: "it is behind", atMs: 7 } });
  expect(others).toEqual([]);
  expect(halt).toMatchObject({ code: "halted", what: "everything is halted: it is behind" });
  expect(halt?.sinceMs).toBe(7);
  expect(halt?.next).toMatch(/bring the right ledger.*sluice recover --accept-ledger/);
  expect(codes({ roles, owners: [] })).toEqual(["halted"]);
  // The right ledger alone does not end it.
  expect(halt?.next).toContain("; then, with whichever ledger is there, run");
  const reason = "this Redis belongs to another ledger";
  const [other] = found({ halt: { reason, atMs: 7 } });
  expect(other?.next).toMatch(/^correct SLUICE_REDIS_URL or SLUICE_LEDGER_URL/);
});

test("without a worker its shards are not reported apart; with one they are", () => {
  const gateway = gatewayReport({});
  expect(codes({ roles: [gateway, paymentsReport()], owners: [] })).toEqual(["no_worker"]);
  expect(found({ shardCount: 4 })[0]?.what).toBe("3 shards of 4 without an owner");
  expect(codes({ roles: [workerReport({})] })).toEqual(["no_gateway", "no_payments"]);
  expect(codes({ owners: [], roles: withWorker({ state: "rebuilding" }) })).toEqual(["rebuilding"]);
});

test("dead letters and unrouted parts are warnings as long as they lie there, with age", () => {
  const dead = [
    { queue: "payments.dead", region: "eu", messages: 1_215, atMs: NOW - 30_000, sinceMs: 5 },
    { queue: "fulfilment.unrouted", region: "eu", messages: 1, givenUp: 0, atMs: NOW, sinceMs: 6 },
    { queue: "orders.dead", region: "eu", messages: 0, atMs: NOW, sinceMs: null },
  ];
  expect(found({ dead }).map(({ code, what, sinceMs }) => [code, what, sinceMs])).toEqual([
    ["dead_letters", "1,215 dead letters in payments.dead of eu, counted 30 s ago", 5],
    ["unrouted_parts", "1 paid part without a route in eu", 6],
  ]);
});

test("parts that a service gave up are told apart from those that wait for a route", () => {
  const count = { queue: "fulfilment.unrouted", region: "eu", messages: 3, atMs: NOW, sinceMs: 6 };
  const seen = (dead: readonly object[]) =>
    found({ dead } as never).map(({ code, what, next }) => [code, what, next.slice(0, 15)]);
  expect(seen([{ ...count, givenUp: 2 }])).toEqual([
    ["given_up_parts", "a service gave up 2 paid parts in eu", "'sluice dead' l"],
    ["unrouted_parts", "1 paid part without a route in eu", "'sluice routes "],
  ]);
  expect(seen([{ ...count, givenUp: 3 }]).map(([code]) => code)).toEqual(["given_up_parts"]);
  const either = "3 paid parts without a route, or given up by a service, in eu";
  expect(seen([count])).toEqual([["unrouted_parts", either, "'sluice dead --"]]);
});

test("a category without a route or a reader is a warning before anybody has paid", () => {
  const routing = [
    { category: "art", saleId: "spring", service: null },
    { category: "home", saleId: "spring", service: "depot" },
  ];
  expect(found({ routing }).map(({ code, subject }) => [code, subject])).toEqual([
    ["no_route", "art"],
    ["no_consumer", "depot"],
  ]);
});

test("a service that nobody runs is named once; one that is paused is only paused", () => {
  const routing = ["spring", "demo"].flatMap((saleId) =>
    ["home", "art"].map((category) => ({ category, saleId, service: "depot" })),
  );
  const { governor, ...process } = workerReport({});
  const depot = (state: GovernorState): FulfilReport => ({
    ...{ ...process, id: "depot-1", kind: "fulfil", service: "depot", parts: {} },
    governor: { ...governor, state, reasons: ["redis_ms"] },
  });
  expect(found({ routing }).map(({ what }) => what)).toEqual([
    "service 'depot' gets 'art' and 'home', and nobody takes its parts",
  ]);
  const waits = routing.map((r) => ({ ...r, waiting: 2 }));
  expect(found({ routing: waits }).map(({ what }) => what)).toEqual([
    "service 'depot' gets 'art' and 'home', and nobody takes its parts: 2 paid parts wait",
  ]);
  const paused = [...withWorker({}), depot("paused")];
  expect(codes({ routing, roles: paused })).toEqual(["all_paused"]);
  expect(codes({ routing, roles: [...withWorker({}), depot("slowed")] })).toEqual([
    ...(["no_consumer", "slowed"] as const),
  ]);
});

const US: Partial<GatewayReport> = {
  ...{ id: "us.gateway", region: "us", publishing: { publishesTo: "us", regions: [] } },
};

test("a broker that is away is named with those who miss it; an alarm is another finding", () => {
  const away = { region: "us", state: "away" } as const;
  const worker = withWorker({ brokers: [{ region: "eu", state: "blocked" }, away] });
  const roles = [...worker, gatewayReport(US)];
  expect(found({ roles }).map(({ code, subject }) => [code, subject])).toEqual([
    ["broker_away", "us"],
    ["broker_blocked", "eu"],
  ]);
  expect(found({ roles })[0]?.what).toBe("the broker of us does not answer worker-1");
  const alone = { region: "eu", broker: "away", publishing: { publishesTo: "eu", regions: [] } };
  const all = [gatewayReport(alone as Partial<GatewayReport>), ...withWorker({}).slice(1)];
  const without = all.map((r) =>
    r.kind === "worker" ? { ...r, brokers: [{ region: "eu", state: "away" as const }] } : r,
  );
  expect(found({ roles: without })[0]?.what).toBe("the broker of eu does not answer anybody");
});

test("a gateway that publishes elsewhere says why, and since when", () => {
  const home = { region: "eu", broker: "up", breaker: "open", why: "no confirm" } as const;
  const regions = [{ ...home, sinceMs: 42, confirmed: 0 }];
  const gateway = gatewayReport({ publishing: { publishesTo: "us", regions } });
  const all = found({ roles: [gateway, paymentsReport(), workerReport({})] });
  expect(all.map(({ code, what, sinceMs }) => [code, what, sinceMs])).toEqual([
    [
      "publishes_elsewhere",
      "eu.gateway sends its orders to us: its own broker failed (no confirm)",
      42,
    ],
  ]);
});

test("a gateway whose own broker is not there yet says so, and not a reason that is empty", () => {
  const whatOf = (change: object) => {
    const home = { region: "eu", broker: "up", breaker: "open", why: "", sinceMs: 1, confirmed: 0 };
    const regions = [{ ...home, ...change }] as never;
    const gateway = gatewayReport({ publishing: { publishesTo: "us", regions } });
    return found({ roles: [gateway, paymentsReport(), workerReport({})] })[0]?.what;
  };
  const to = "eu.gateway sends its orders to us: its own broker";
  expect(whatOf({})).toBe(`${to} is not ready yet`);
  expect(whatOf({ broker: "away", why: "away" })).toBe(`${to} does not answer`);
  expect(whatOf({ broker: "blocked", why: "blocked" })).toBe(`${to} has an alarm`);
});

const withGateways = (...gateways: Partial<GatewayReport>[]) => ({
  roles: [...gateways.map(gatewayReport), paymentsReport(), workerReport({})],
});
const wordsOf = (change: Partial<Overview>) =>
  found(change).map(({ code, level, what }) => [code, level, what]);
const shard = (n: number, state: AdmissionState, pending = 0): ShardAdmission => ({
  ...{ shard: n, state, pending, limit: 100, waitMs: 0 },
});
const NO_BROKER = { admission: "closed", reasons: ["broker"] } as const;

test("one gateway of several that accepts nothing is a warning; if none does, trouble", () => {
  expect(wordsOf(withGateways(NO_BROKER, US))).toEqual([
    ["gateway_closed", "warning", "eu.gateway accepts no orders: no broker takes orders"],
  ]);
  const full = { ...US, admission: "closed", reasons: ["redis_memory"] } as const;
  const none = "no gateway accepts orders: no broker takes orders and Redis is nearly full";
  expect(wordsOf(withGateways(NO_BROKER, full))).toEqual([["no_gateway_open", "trouble", none]]);
  const redis = { state: "away", usedBytes: null, maxBytes: null } as const;
  expect(codes({ ...withGateways(NO_BROKER), redis, unasked: ["redis"] })).toEqual([
    ...(["redis_away", "gateway_closed"] as const),
  ]);
});

test("a gateway that is closed for a shard, or slows down, is not closed", () => {
  const closed = { admission: "closed", reasons: ["wait"] } as const;
  const some = { ...closed, shards: [shard(0, "closed"), shard(1, "pressured", 100)] };
  const wait = "orders would wait too long";
  expect(wordsOf(withGateways(some))).toEqual([
    ["shedding", "warning", `eu.gateway holds orders of 1 shard back: ${wait}`],
  ]);
  const late = { admission: "pressured", reasons: ["late"], shards: [shard(0, "open")] } as const;
  expect(wordsOf(withGateways(late))).toEqual([
    ["shedding", "warning", "eu.gateway holds orders back: it is short of CPU"],
  ]);
  const all = { ...closed, shards: [shard(0, "closed"), shard(1, "closed")] };
  expect(wordsOf(withGateways(all))).toEqual([
    ["no_gateway_open", "trouble", `no gateway accepts orders: ${wait}`],
  ]);
});

test("while nothing is decided, a gateway accepts orders until its bound is reached", () => {
  const stalled = { admission: "pressured", reasons: ["stalled"] } as const;
  const room = { ...stalled, shards: [shard(0, "pressured", 99)] };
  expect(codes(withGateways(room))).toEqual(["shedding"]);
  const full = { ...stalled, shards: [shard(0, "pressured", 100)] };
  expect(codes(withGateways(full))).toEqual(["no_gateway_open"]);
});

test("a gateway that stops beside others is no finding; the only one is trouble", () => {
  const stopping = { admission: "closed", reasons: ["draining"], draining: true } as const;
  expect(found(withGateways(stopping, US))).toEqual([]);
  expect(wordsOf(withGateways(stopping))).toEqual([
    ["no_gateway_open", "trouble", "no gateway accepts orders: it is stopping"],
  ]);
});

test("a region whose broker is used and that has no gateway is named", () => {
  const brokers = ["eu", "us"].map((region) => ({ region, state: "up" as const }));
  expect(wordsOf({ roles: withWorker({ brokers }) })).toEqual([
    ["region_without_gateway", "warning", "no gateway is running in us"],
  ]);
  expect(codes({ roles: [workerReport({ brokers }), paymentsReport()] })).toEqual(["no_gateway"]);
  const onPurpose = { ...LIMITS, withoutGateway: ["us"] };
  expect(verdict(overviewOf({ roles: withWorker({ brokers }) }), onPurpose).level).toBe("ok");
});

const JUMPED = { id: "r", pair: "EUR/USD", value: "15", last: "1.5", atMs: 1, sinceMs: 2 };

test("payments, a paused worker, owed money, late orders, rates and webhooks", () => {
  const { governor } = workerReport({});
  const lags = [{ region: "eu", lagMs: 9_000, ready: 1, lookedAtMs: 0 }];
  const worker = workerReport({
    governor: { ...governor, state: "paused", level: 4, reasons: ["operator"] },
    owed: { refund_failed: 1, unresolved: 1, unknown: 9 },
    shards: [{ shard: 3, regions: lags, load: 0, parked: 0 }],
  });
  const all = found({
    roles: [gatewayReport({}), paymentsReport({ breaker: "open" }), worker],
    lost: [{ id: "worker-2", kind: "worker", lastSeenMs: 3 }],
    rates: { pairs: 2, newestAtMs: NOW - 61_000 },
    ratesWaiting: [
      { ...JUMPED, state: "held" },
      { ...JUMPED, pair: "EUR/GBP", state: "refused" },
    ],
    webhooks: { endpoints: 2, troubled: [{ id: "wh_1", sinceMs: 9 }] },
    redis: { state: "up", usedBytes: 85, maxBytes: 100 },
  });
  expect(all.map(({ code }) => code)).toEqual([
    ...(["payments_paused", "all_paused", "role_lost", "redis_memory", "money_owed"] as const),
    ...(["orders_wait", "rates_stale", "rates_held", "no_sender", "webhooks_paused"] as const),
  ]);
  const by = (code: FindingCode) => all.find((f) => f.code === code);
  expect(by("all_paused")?.what).toBe("the only worker, worker-1, is paused: by an operator");
  expect(by("all_paused")?.next).toBe("'sluice workers resume worker-1'");
  expect(by("orders_wait")).toMatchObject({ sinceMs: NOW - 9_000 });
  expect(by("money_owed")?.what).toBe("2 refunds or charges must be settled by hand");
});

test("a provider that fails is noticed before the breaker opens, even for one order", () => {
  const why = "the provider cannot be reached: connection refused";
  const of = (change: object, breaker = "closed") => {
    const failing = { sinceMs: NOW - 5_000, lastMs: NOW - 1_000, failures: 3, why, ...change };
    const roles = [gatewayReport({}), paymentsReport({ breaker, failing }), workerReport({})];
    return found({ roles });
  };
  expect(of({}).map(({ code, level, what, sinceMs }) => [code, level, what, sinceMs])).toEqual([
    [
      "provider_failing",
      "warning",
      `the last 3 attempts of payments-1 at the provider failed: ${why}`,
      NOW - 5_000,
    ],
  ]);
  // Too few, within a moment, or nobody has tried since: nothing is concluded.
  expect(of({ failures: 2 })).toEqual([]);
  expect(of({ sinceMs: NOW - 2_000 })).toEqual([]);
  expect(of({ sinceMs: NOW - 400_000, lastMs: NOW - 200_000 })).toEqual([]);
  expect(of({ failures: 20 }, "open").map(({ code }) => code)).toEqual(["payments_paused"]);
});

test("a paused role is no trouble while another does its work; the last one is", () => {
  const worker = (id: string, state: GovernorState): WorkerReport => {
    const report = workerReport({ id });
    return { ...report, governor: { ...report.governor, state, reasons: ["redis_ms"] } };
  };
  const of = (...states: GovernorState[]) =>
    found({
      roles: [gatewayReport({}), paymentsReport(), ...states.map((s, i) => worker(`w${i}`, s))],
    }).map(({ code, level, what }) => [code, level, what]);
  const why = "Redis is slow";
  expect(of("paused", "running")).toEqual([
    ["worker_paused", "warning", expect.stringMatching(/^w0 is paused: /)],
  ]);
  const next = "find out why Redis is slow; then it resumes on its own";
  expect(found({ roles: [...withWorker({}), worker("w9", "paused")] })[0]).toMatchObject({ next });
  expect(of("paused", "slowed").map(([code]) => code)).toEqual(["worker_paused", "slowed"]);
  expect(of("paused", "paused")).toEqual([
    ["all_paused", "trouble", `every worker, w0 and w1, is paused: ${why}`],
  ]);
});

test("the table is ordered by level, and a sale that is over counts as none", () => {
  const levels = Object.values(FINDINGS).map(({ level }) => level);
  const rank = { trouble: 0, warning: 1, notice: 2 };
  expect(levels).toEqual(levels.toSorted((a, b) => rank[a] - rank[b]));
  expect(verdict(overviewOf({ sales: [] }), LIMITS)).toMatchObject({
    level: "notice",
    findings: [{ code: "no_sale" }],
  });
});

const ROOT = join(import.meta.dir, "..", "..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

test("docs/operations.md has a section for each finding, and no other below its heading", () => {
  const [, incidents = ""] = read("docs/operations.md").split("\n## When something is wrong\n");
  const [section = ""] = incidents.split(/\n## /);
  const titles = [...section.matchAll(/^### (.+)$/gm)].map(([, title]) => title);
  expect(titles.sort()).toEqual(
    Object.values(FINDINGS)
      .map(({ title }) => title)
      .sort() as never,
  );
  // The tree leads to each of them.
  const tree = section.slice(0, section.indexOf("\n### "));
  const anchors = (Object.keys(FINDINGS) as FindingCode[]).map(anchorOf);
  expect(anchors.filter((anchor) => !tree.includes(`(#${anchor})`))).toEqual([]);
});

test("each alert that a finding names says what to do next in the table's words", () => {
  const { groups } = parse(read("deploy/prometheus/alerts.yml")) as {
    groups: { rules: { alert: string; annotations: { next?: string } }[] }[];
  };
  const said = new Map(groups.flatMap((g) => g.rules.map((r) => [r.alert, r.annotations.next])));
  const table = new Map<string, string>();
  for (const kind of Object.values(FINDINGS))
    for (const alert of "alerts" in kind ? kind.alerts : [])
      if (!table.has(alert)) table.set(alert, kind.next);
  expect(table.size).toBeGreaterThan(15);
  expect([...table].filter(([alert, next]) => said.get(alert) !== next)).toEqual([]);
});

test("roles that cannot reach the ledger are one finding; what is owed was counted before", () => {
  const roles = [
    ...[gatewayReport({}), paymentsReport(), workerReport({ ledger: "away" })],
    workerReport({ id: "worker-2", ledger: "away" }),
  ];
  expect(found({ roles }).map(({ what }) => what)).toEqual([
    "the ledger does not answer the worker worker-1 and the worker worker-2",
  ]);
  const owed = verdict({ ...overviewOf(), owed: 2 }, LIMITS);
  expect(owed.findings.map(({ code }) => code)).toEqual(["money_owed"]);
});

test("a ledger that answers and refuses is not called silent: its reason and the way out", () => {
  const full = workerReport({ ledger: "away", ledgerRefuses: "disk_full" });
  const roles = [gatewayReport({}), paymentsReport(), full];
  expect(found({ roles })).toMatchObject([
    {
      code: "ledger_away",
      what: "the ledger takes nothing, its disk is full (worker-1)",
      affects: expect.stringContaining("what is on record can be read"),
      next: "make room on its disk; workers resume on their own",
    },
  ]);
});

test("a pair without a rate is named though others have theirs, and what was refused", () => {
  const oldest = { pair: "EUR/USD", atMs: NOW - 90_000 };
  const rates = { pairs: 2, newestAtMs: NOW, oldest };
  const what = "the last rate of EUR/USD is 1 min old";
  expect(found({ rates })).toMatchObject([{ code: "rates_stale", subject: "EUR/USD", what }]);
  const waiting = {
    ...{ pair: "EUR/USD", id: "r", value: "3.5", last: "1.5", atMs: NOW, sinceMs: NOW },
    state: "refused" as const,
  };
  expect(found({ rates, ratesWaiting: [waiting] })).toMatchObject([
    {
      what: `${what}, and 3.5 was refused`,
      next: "correct the source; or use it: 'sluice rates accept EUR/USD'",
    },
  ]);
  const held = { ...waiting, state: "held" as const };
  expect(codes({ rates, ratesWaiting: [held] })).toEqual(["rates_held"]);
  const fresh = { ...rates, oldest: { ...oldest, atMs: NOW - 50_000 } };
  expect(codes({ rates: fresh, ratesWaiting: [waiting] })).toEqual([]);
});
