import { expect, test } from "bun:test";
import { at } from "../core/domain/at.ts";
import { VirtualRuntime } from "../core/runtime/testing.ts";
import { Failover, type Placed } from "./failover.ts";
import type { PublishOutcome } from "./publisher.ts";

const DEADLINE_MS = 10_000;
const PATIENCE_MS = 1_000;
const HEALTHY_MS = 5_000;
const body = Buffer.from("rows");

/** A region whose broker does what the test says. */
class FakeRegion {
  /** `silent`: it reads, and never answers. */
  does: PublishOutcome | "silent" = "confirmed";
  is: "up" | "blocked" | "away" = "up";
  /** A queue that never confirms, whatever the others do. */
  stuck: string | undefined;
  /** How long a confirm takes, ms. */
  slowMs = 0;
  readonly got: { key: string; body: Buffer; id: string | undefined }[] = [];
  probes = 0;
  private waiting: ((outcome: PublishOutcome) => void)[] = [];

  constructor(
    readonly name: string,
    private readonly runtime: VirtualRuntime,
  ) {}

  readonly state = () => this.is;
  readonly publisher = this.makePublisher();

  private makePublisher() {
    const region = this;
    return {
      get ready() {
        return region.is === "up";
      },
      publish: (_: string, key: string, text: Buffer, p = {}, limitMs = DEADLINE_MS) => {
        region.got.push({ key, body: text, id: (p as { messageId?: string }).messageId });
        const { slowMs } = region;
        const does = key === region.stuck ? "silent" : region.does;
        if (does !== "silent" && slowMs === 0) return Promise.resolve(does);
        const { promise, resolve } = Promise.withResolvers<PublishOutcome>();
        region.waiting.push(resolve);
        region.runtime.startTimer(() => resolve("unknown"), limitMs);
        if (does !== "silent") region.runtime.startTimer(() => resolve(does), slowMs);
        return promise;
      },
      giveUp: () => {
        for (const resolve of region.waiting.splice(0)) resolve("unknown");
      },
      reaches: async () => {
        region.probes++;
        return region.is === "up" && region.does === "confirmed";
      },
    };
  }
}

function rig(atFirst: FakeRegion["is"] = "up", alone = false) {
  const runtime = new VirtualRuntime();
  const eu = new FakeRegion("eu", runtime);
  eu.is = atFirst;
  const us = new FakeRegion("us", runtime);
  const changes: string[] = [];
  const failover = new Failover({
    runtime,
    regions: alone ? [eu] : [eu, us],
    exchange: "orders",
    deadlineMs: DEADLINE_MS,
    patienceMs: PATIENCE_MS,
    healthyMs: HEALTHY_MS,
    onChange: (region, state, _, queue) =>
      changes.push(`${region}${queue === undefined ? "" : `/${queue}`} ${state}`),
  });
  failover.start();
  let number = 0;
  const publish = async (key = "0") => {
    const placed: Placed = {};
    const startedMs = runtime.monotonicMs();
    const messageId = String(++number);
    const outcome = await failover.publish(key, body, { messageId }, placed);
    return { outcome, region: placed.region, tookMs: runtime.monotonicMs() - startedMs };
  };
  /** The result of a publish during which time passes. */
  const publishWhile = async (ms: number, key?: string) => {
    const result = publish(key);
    await runtime.advance(ms);
    return result;
  };
  return { runtime, eu, us, failover, changes, publish, publishWhile };
}

test("while home answers, batches stay at home", async () => {
  const { eu, us, publish, changes } = rig();
  for (let i = 0; i < 5; i++) expect(await publish()).toMatchObject({ outcome: "confirmed" });
  expect([eu.got.length, us.got.length, changes]).toEqual([5, 0, []]);
  expect((await publish()).region).toBeUndefined();
});

test("a home that is away or has an alarm costs a batch no time", async () => {
  for (const is of ["away", "blocked"] as const) {
    const { eu, us, publish } = rig();
    eu.is = is;
    expect(await publish()).toEqual({ outcome: "confirmed", region: "us", tookMs: 0 });
    expect([eu.got.length, us.got.length]).toEqual([0, 1]);
  }
});

test("a batch without a confirm goes elsewhere, the same bytes under the same id", async () => {
  const { eu, us, publishWhile } = rig();
  eu.does = "silent";
  const result = await publishWhile(PATIENCE_MS);
  expect(result).toEqual({ outcome: "confirmed", region: "eu,us", tookMs: PATIENCE_MS });
  expect(us.got).toEqual(eu.got);
  expect(at(us.got, 0).body).toBe(body);
});

test("only the first batch pays for a silent home", async () => {
  const { eu, publish, publishWhile, failover } = rig();
  eu.does = "silent";
  await publishWhile(PATIENCE_MS);
  expect(failover.region).toBe("us");
  for (let i = 0; i < 20; i++)
    expect(await publish()).toEqual({ outcome: "confirmed", region: "us", tookMs: 0 });
  expect(eu.got).toHaveLength(1);
});

test("batches in flight leave a silent home together with the first that gives it up", async () => {
  const { runtime, eu, publish } = rig();
  eu.does = "silent";
  const first = publish();
  await runtime.advance(PATIENCE_MS - 100);
  const second = publish();
  await runtime.advance(100);
  expect((await first).tookMs).toBe(PATIENCE_MS);
  expect((await second).tookMs).toBe(100);
});

test("it returns home once home has been healthy for a while, with one batch first", async () => {
  const { runtime, eu, us, publish, changes } = rig();
  eu.is = "away";
  await publish();
  eu.is = "up";
  await runtime.advance(HEALTHY_MS - 1_000);
  expect((await publish()).region).toBe("us");
  await runtime.advance(2_000);
  expect(changes.at(-1)).toBe("eu half-open");
  const usBefore = us.got.length;
  expect((await publish()).region).toBeUndefined();
  expect([eu.got.length, us.got.length]).toEqual([1, usBefore]);
  expect(changes).toEqual(["eu open", "eu half-open", "eu closed"]);
});

test("a home that is reached for the first time gets batches at once", async () => {
  const { runtime, eu, publish } = rig("away");
  expect((await publish()).region).toBe("us");
  await runtime.advance(1_000);
  eu.is = "up";
  expect((await publish()).region).toBeUndefined();
});

test("while one batch is on trial at home, the others go elsewhere", async () => {
  const { runtime, eu, publish, changes } = rig();
  eu.is = "away";
  await publish();
  eu.is = "up";
  await runtime.advance(HEALTHY_MS + 1_000);
  eu.does = "silent";
  const trial = publish();
  expect(await publish()).toEqual({ outcome: "confirmed", region: "us", tookMs: 0 });
  await runtime.advance(PATIENCE_MS);
  expect((await trial).region).toBe("eu,us");
  expect(changes.at(-1)).toBe("eu open");
});

test("a home that fails its trial must be healthy for twice as long", async () => {
  const { runtime, eu, publish, publishWhile, failover } = rig();
  const state = () => at(failover.view(), 0).breaker;
  eu.is = "away";
  await publish();
  eu.is = "up";
  await runtime.advance(HEALTHY_MS + 1_000);
  eu.does = "silent";
  await publishWhile(PATIENCE_MS);
  eu.does = "confirmed";
  await runtime.advance(HEALTHY_MS + 1_000);
  expect(state()).toBe("open");
  await runtime.advance(HEALTHY_MS);
  expect(state()).toBe("half-open");
});

test("a region is silent while it is away or does not answer, but not under an alarm", async () => {
  const { runtime, eu, publishWhile, failover } = rig();
  expect(failover.silent).toEqual([]);
  eu.does = "silent";
  await publishWhile(PATIENCE_MS);
  expect(failover.silent).toEqual(["eu"]);
  eu.does = "confirmed";
  await runtime.advance(1_000);
  expect([failover.silent, failover.region]).toEqual([[], "us"]);
  eu.is = "blocked";
  await runtime.advance(1_000);
  expect(failover.silent).toEqual([]);
  eu.is = "away";
  await runtime.advance(1_000);
  expect(failover.silent).toEqual(["eu"]);
});

test("a home that comes and goes is not healthy", async () => {
  const { runtime, eu, failover, publish } = rig();
  eu.is = "away";
  await publish();
  for (let i = 0; i < 10; i++) {
    eu.is = "up";
    await runtime.advance(HEALTHY_MS - 1_000);
    eu.is = "away";
    await runtime.advance(1_000);
  }
  expect(failover.region).toBe("us");
});

test("only when no region confirms in time is a batch unknown, within the deadline", async () => {
  const { eu, us, publishWhile } = rig();
  eu.does = "silent";
  us.does = "silent";
  const result = await publishWhile(DEADLINE_MS);
  expect(result).toEqual({ outcome: "unknown", region: undefined, tookMs: DEADLINE_MS });
});

test("two regions that are not trusted share the time: a slow one still confirms", async () => {
  const { eu, us, publishWhile } = rig();
  eu.does = "silent";
  us.does = "silent";
  await publishWhile(DEADLINE_MS);
  eu.does = "confirmed";
  eu.slowMs = PATIENCE_MS * 3;
  const result = await publishWhile(DEADLINE_MS);
  expect(result).toEqual({ outcome: "confirmed", region: undefined, tookMs: PATIENCE_MS * 3 });
});

test("of two that are not trusted, the one that answers goes first", async () => {
  const { runtime, eu, us, publishWhile } = rig();
  eu.does = "silent";
  us.does = "silent";
  await publishWhile(DEADLINE_MS);
  us.does = "confirmed";
  await runtime.advance(1_000);
  const result = await publishWhile(PATIENCE_MS);
  expect(result).toEqual({ outcome: "confirmed", region: "us", tookMs: 0 });
  expect(eu.got).toHaveLength(1);
});

test("a batch in flight is not given up when no other region can take it", async () => {
  const { runtime, eu, us, publish } = rig();
  us.is = "away";
  eu.does = "silent";
  const first = publish();
  await runtime.advance(DEADLINE_MS - 100);
  eu.does = "confirmed";
  eu.slowMs = 200;
  const second = publish();
  await runtime.advance(200);
  expect((await first).outcome).toBe("unknown");
  expect(await second).toEqual({ outcome: "confirmed", region: undefined, tookMs: 200 });
});

test("a region that comes up when the time is almost over gets no batch to fail", async () => {
  const { runtime, eu, us, publish } = rig();
  us.is = "away";
  eu.does = "silent";
  const result = publish();
  await runtime.advance(DEADLINE_MS - 30);
  us.is = "up";
  us.does = "silent";
  eu.is = "away";
  eu.publisher.giveUp(); // as when its channel closes
  await runtime.advance(30);
  expect((await result).outcome).toBe("unknown");
  expect(us.got).toHaveLength(0);
});

test("a single region is always trusted: nothing would close its breaker again", async () => {
  const { runtime, eu, publish, publishWhile, changes, failover } = rig("up", true);
  eu.does = "silent";
  expect((await publishWhile(DEADLINE_MS)).outcome).toBe("unknown");
  eu.is = "away";
  expect((await publish()).outcome).toBe("unsent");
  [eu.is, eu.does] = ["up", "confirmed"];
  expect((await publish()).outcome).toBe("confirmed");
  await runtime.advance(60_000);
  expect([changes, at(failover.view(), 0).breaker]).toEqual([[], "closed"]);
});

test("unsent only if nothing left in any region", async () => {
  const { eu, us, publish, publishWhile, failover } = rig();
  [eu.is, us.is] = ["away", "blocked"];
  expect(failover.ready).toBe(false);
  expect((await publish()).outcome).toBe("unsent");
  eu.is = "up";
  eu.does = "silent";
  expect((await publishWhile(DEADLINE_MS)).outcome).toBe("unknown");
});

test("a distrusted home is still better than none", async () => {
  const { eu, us, publish, publishWhile } = rig();
  eu.does = "silent";
  await publishWhile(PATIENCE_MS);
  eu.does = "confirmed";
  us.is = "away";
  expect(await publish()).toEqual({ outcome: "confirmed", region: undefined, tookMs: 0 });
});

test("a full queue is pressure: its batch goes nowhere else", async () => {
  const { eu, us, publish, failover } = rig();
  eu.does = "nacked";
  expect((await publish()).outcome).toBe("nacked");
  expect([us.got.length, failover.region]).toEqual([0, "eu"]);
});

test("a home without the queue is left", async () => {
  const { eu, publish, failover } = rig();
  eu.does = "returned";
  expect(await publish()).toMatchObject({ outcome: "confirmed", region: "eu,us" });
  expect(failover.region).toBe("us");
});

/** What became of the batches of two lanes, each with one in flight, for a minute. */
async function minute({ runtime, publish }: ReturnType<typeof rig>, everyMs: number) {
  const lane = async (key: string) => {
    const results: Awaited<ReturnType<typeof publish>>[] = [];
    while (runtime.monotonicMs() < endMs) {
      results.push(await publish(key));
      await runtime.sleep(everyMs);
    }
    return results;
  };
  const endMs = runtime.monotonicMs() + 60_000;
  const lanes = ["stuck", "other"].map(lane);
  await runtime.advance(60_000 + DEADLINE_MS);
  const [stuck = [], other = []] = await Promise.all(lanes);
  return { stuck, other };
}

test("a queue that never confirms: its batches go elsewhere, the others stay home", async () => {
  const all = rig();
  all.eu.stuck = "stuck";
  const { stuck, other } = await minute(all, 100);
  expect(new Set(other.map(({ region }) => region))).toEqual(new Set([undefined]));
  expect(new Set(stuck.map(({ outcome }) => outcome))).toEqual(new Set(["confirmed"]));
  // The first, and one trial after 5, 10, 20 … s.
  expect(stuck.filter(({ tookMs }) => tookMs > 0).length).toBeLessThanOrEqual(4);
  expect(all.changes.filter((change) => !change.startsWith("eu/stuck "))).toEqual([]);
  expect(all.failover.view()[0]).toMatchObject({ breaker: "closed", queues: ["stuck"] });
});

test("without other batches to compare, its region is left for it once, not again", async () => {
  const all = rig();
  all.eu.stuck = "stuck";
  const { other } = await minute(all, 7_000);
  expect(all.changes.filter((change) => change === "eu open")).toHaveLength(1);
  expect(other.at(-1)?.region).toBeUndefined();
  expect(all.failover.region).toBe("eu");
});

test("a queue that confirms again gets its batches back", async () => {
  const all = rig();
  all.eu.stuck = "stuck";
  await minute(all, 100);
  all.eu.stuck = undefined;
  const { stuck } = await minute(all, 100);
  expect(stuck.at(-1)?.region).toBeUndefined();
  expect(all.failover.view()[0]).toMatchObject({ breaker: "closed", queues: [] });
});

test("a region that falls silent as a whole is left, though one queue was in doubt", async () => {
  const all = rig();
  all.eu.stuck = "stuck";
  await minute(all, 100);
  all.eu.does = "silent";
  expect(await all.publishWhile(PATIENCE_MS, "other")).toMatchObject({ region: "eu,us" });
  expect([all.failover.region, await all.publish("third")]).toMatchObject(["us", { tookMs: 0 }]);
});

test("operators see each region's state, and why and since when", async () => {
  const { runtime, eu, publishWhile, failover } = rig();
  eu.does = "silent";
  await runtime.advance(3_000);
  await publishWhile(PATIENCE_MS);
  const [home, other] = failover.view();
  expect(home).toEqual({
    ...{ region: "eu", broker: "up", breaker: "open", confirmed: 0, queues: ["0"] },
    ...{ why: "no confirm within 1000 ms", sinceMs: runtime.wallMs() },
  });
  expect(other).toMatchObject({ region: "us", breaker: "closed", confirmed: 1 });
});
