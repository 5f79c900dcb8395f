import { expect, test } from "bun:test";
import { at } from "../../core/domain/at.ts";
import { skipRow } from "../../core/domain/row.ts";
import { Batch, type Recipient } from "../intake/batch.ts";
import { ShardLag, TICK_MS } from "./shard-lag.ts";

const nobody: Recipient = { follows: false, settled() {}, decided() {}, forgotten() {} };

/** A shard whose owner decides `perTick` orders per tick, in simulated time. */
class Rig {
  readonly lag: ShardLag;
  nowMs = 10_000;
  perTick = 100;
  shed = 0;
  /** By tick. */
  readonly taken: number[] = [];
  readonly waits: number[] = [];
  private queue: Batch[] = [];
  private credit = 0;

  constructor(phase = 0) {
    this.lag = new ShardLag({ targetMs: 2_000, stallOrders: 500, phase });
  }

  /** Offers orders in batches of 10 for one tick; those over the limit are shed. */
  tick(offered: number): void {
    let taken = 0;
    for (let i = 0; i < offered; i += 10) {
      if (!this.lag.room(this.nowMs + (i / offered) * TICK_MS)) {
        this.shed += 10;
        continue;
      }
      taken += 10;
      const batch = new Batch(0, String(i), () => this.nowMs);
      for (let n = 0; n < 10; n++) {
        batch.add(skipRow({ user: "ann", saleId: "s", seq: 1 }, 0), 0, nobody, undefined);
        this.lag.taken();
      }
      batch.bornMs = this.nowMs;
      this.lag.sent(batch);
      batch.settle("confirmed");
      this.queue.push(batch);
    }
    this.taken.push(taken);
    this.nowMs += TICK_MS;
    this.credit = Math.min(this.credit + this.perTick, this.perTick * 2);
    while (this.queue.length > 0 && this.credit >= 10) {
      const batch = this.queue.shift() as Batch;
      this.credit -= 10;
      this.waits.push(this.nowMs - batch.bornMs);
      this.lag.settled(batch, true, this.nowMs);
    }
    this.lag.tick(this.nowMs, TICK_MS);
  }

  run(ticks: number, offered: number): void {
    for (let i = 0; i < ticks; i++) this.tick(offered);
  }

  lose(): void {
    this.queue = [];
  }
}

test("open → pressured: three times the capacity keeps the target wait, no capacity wasted", () => {
  const rig = new Rig();
  rig.run(100, 300);
  expect(rig.lag.state).toBe("pressured");
  const decided = rig.waits.length * 10;
  expect(decided).toBeGreaterThan(100 * 100 * 0.98);
  expect(Math.max(...rig.waits)).toBeLessThan(2_000 * 1.5);
  // It does not undershoot either: the wait stays near the target.
  expect(rig.waits.at(-1)).toBeGreaterThan(1_000);
});

test("orders that wait for their turn at each step are never shed, at any partial load", () => {
  // Each outcome comes a tick after its order: longer than all paces together.
  for (let offered = 10; offered < 500; offered += 40) {
    const rig = new Rig();
    rig.perTick = 1_000;
    rig.run(100, offered);
    expect([rig.shed, rig.lag.state]).toEqual([0, "open"]);
  }
});

test("pressured: accepts what is decided, every second, not in bursts", () => {
  const rig = new Rig();
  rig.run(200, 300);
  for (let second = 5; second < 20; second++) {
    const taken = rig.taken.slice(second * 10, second * 10 + 10).reduce((sum, n) => sum + n, 0);
    expect(taken).toBeGreaterThan(800);
    expect(taken).toBeLessThan(1_200);
  }
});

test("pressured: when more is decided, more is accepted, up to the wait aimed at", () => {
  const rig = new Rig();
  rig.run(100, 1_000);
  rig.perTick = 300;
  rig.run(150, 1_000);
  expect(rig.taken.slice(-10).reduce((sum, n) => sum + n, 0)).toBeGreaterThan(2_500);
  expect(rig.waits.at(-1)).toBeGreaterThan(600);
  expect(Math.max(...rig.waits)).toBeLessThan(3_000);
});

test("it does not open while orders are shed: that would admit the whole flood", () => {
  const rig = new Rig();
  rig.run(50, 300);
  rig.perTick = 1_000;
  const states: string[] = [];
  for (let i = 0; i < 200; i++) {
    const { shed } = rig;
    rig.tick(900);
    if (rig.shed > shed) states.push(rig.lag.state);
  }
  expect(states.length).toBeGreaterThan(5);
  expect(new Set(states)).toEqual(new Set(["pressured"]));
  expect([rig.lag.state, rig.taken.at(-1)]).toEqual(["open", 900]);
});

test("shards take turns in handing out their allowance", () => {
  const firstTaken = [0, 0.25, 0.5, 0.75].map((phase) => {
    const rig = new Rig(phase);
    rig.run(60, 300);
    // The rest of the allowance.
    for (let i = 0; i < 1_000 && rig.lag.room(rig.nowMs); i++) rig.lag.taken();
    let at = rig.nowMs;
    while (at < rig.nowMs + 500 && !rig.lag.room(at)) at++;
    return at - rig.nowMs;
  });
  expect(firstTaken).toEqual([100, 75, 50, 25]);
});

test("with the capacity still unknown, accepts no more than in an outage", () => {
  const rig = new Rig();
  rig.perTick = 0;
  rig.run(3, 1_000);
  expect([rig.lag.pending, rig.shed]).toEqual([500, 2_500]);
});

test("pressured → open after a second of calm, not sooner", () => {
  const rig = new Rig();
  rig.run(50, 300);
  expect(rig.lag.state).toBe("pressured");
  let calm = 0;
  for (let i = 0; rig.lag.state !== "open" && i < 100; i++) {
    rig.tick(20);
    if ((rig.waits.at(-1) ?? 0) <= 2 * TICK_MS) calm++;
  }
  expect(rig.lag.state).toBe("open");
  expect(calm).toBeGreaterThanOrEqual(9);
  const { shed } = rig;
  rig.run(50, 90);
  expect([rig.lag.state, rig.shed]).toEqual(["open", shed]);
  expect(rig.lag.limit).toBe(1_500);
});

test("a load below capacity is never shed, even after a quiet night", () => {
  const rig = new Rig();
  rig.run(600, 10);
  rig.run(100, 90);
  rig.run(5, 0);
  rig.run(100, 100);
  expect([rig.shed, rig.lag.state]).toEqual([0, "open"]);
});

test("after a quiet time the first limit follows the capacity, not the few earlier orders", () => {
  const rig = new Rig();
  rig.perTick = 10;
  rig.tick(30);
  rig.run(50, 10);
  rig.perTick = 100;
  rig.run(5, 0);
  for (let i = 0; rig.lag.state === "open" && i < 100; i++) rig.tick(300);
  expect(rig.lag.limit).toBeGreaterThan(0.75 * 100 * (2_000 / TICK_MS) * 0.75);
});

test("the same holds after a quiet period in which each order was decided at once", () => {
  const rig = new Rig();
  rig.run(100, 10);
  for (let i = 0; rig.lag.state === "open" && i < 100; i++) rig.tick(300);
  expect(rig.lag.limit).toBeGreaterThan(0.75 * 100 * (2_000 / TICK_MS) * 0.75);
});

test("a slow start, such as a worker acquiring its shards, is not overload", () => {
  const rig = new Rig();
  rig.perTick = 0;
  rig.run(8, 50);
  rig.perTick = 100;
  rig.run(40, 80);
  expect([rig.shed, rig.lag.state]).toEqual([0, "open"]);
});

test("pressured → closed → pressured: a tenfold slowdown stops intake until it recovers", () => {
  const rig = new Rig();
  rig.run(60, 300);
  rig.perTick = 10;
  const seen = new Set<string>();
  for (let i = 0; i < 60; i++) {
    rig.tick(300);
    seen.add(rig.lag.state);
  }
  expect(seen).toContain("closed");
  rig.perTick = 100;
  rig.run(60, 300);
  expect(rig.lag.state).toBe("pressured");
  expect(rig.waits.slice(-100).every((ms) => ms < 3_000)).toBe(true);
});

test("no decisions at all is an outage: orders are accepted up to the bound", () => {
  const rig = new Rig();
  rig.run(20, 50);
  rig.perTick = 0;
  rig.run(50, 50);
  expect(rig.lag.stalled).toBe(true);
  expect(rig.lag.pending).toBeGreaterThanOrEqual(500);
  expect(rig.lag.pending).toBeLessThan(560);
  rig.perTick = 100;
  rig.run(50, 50);
  expect([rig.lag.stalled, rig.lag.state]).toEqual([false, "open"]);
});

test("lost outcomes do not count as lag once a later one has arrived", () => {
  const rig = new Rig();
  rig.run(3, 10);
  rig.perTick = 0;
  rig.tick(30);
  rig.lose();
  rig.perTick = 100;
  rig.tick(10);
  expect([rig.lag.pending, rig.lag.oldestMs(rig.nowMs)]).toEqual([0, 0]);
});

test("… or once the owner has reported that it has nothing left", () => {
  const rig = new Rig();
  rig.perTick = 0;
  rig.tick(30);
  rig.lose();
  expect(rig.lag.pending).toBe(30);
  rig.lag.emptyAt(rig.nowMs - 500);
  expect(rig.lag.pending).toBe(30);
  rig.lag.emptyAt(rig.nowMs);
  expect(rig.lag.pending).toBe(0);
});

test("the estimate matches the actual wait", () => {
  const rig = new Rig();
  rig.run(10, 300);
  const said = rig.lag.waitMs(rig.nowMs);
  const before = rig.waits.length;
  const ahead = rig.lag.pending;
  rig.run(Math.ceil(said / TICK_MS), 0);
  expect(Math.abs((rig.waits.length - before) * 10 - ahead)).toBeLessThan(ahead * 0.25);
});

test("a batch that was decided is not held: its orders' texts would stay with it", () => {
  const lag = new ShardLag({ targetMs: 2_000, stallOrders: 500 });
  const batches = Array.from({ length: 3 }, (_, i) => new Batch(0, String(i), () => 1));
  for (const batch of batches) {
    batch.add(skipRow({ user: "ann", saleId: "s", seq: 1 }, 0), 0, nobody, undefined);
    lag.taken();
    lag.sent(batch);
  }
  lag.settled(at(batches, 1), true, 2);
  const held = (lag as unknown as { waiting: readonly (Batch | undefined)[] }).waiting;
  expect(held.filter((batch) => batch !== undefined)).toEqual([at(batches, 2)]);
  expect(lag.pending).toBe(1);
});

/** A confirmed batch of ten orders in a region; undefined: the gateway's own. */
function batchIn(lag: ShardLag, region: string | undefined, nowMs: number): Batch {
  const batch = new Batch(0, "", () => nowMs);
  for (let n = 0; n < 10; n++) {
    batch.add(skipRow({ user: "ann", saleId: "s", seq: 1 }, 0), 0, nobody, undefined);
    lag.taken();
  }
  lag.sent(batch);
  batch.region = region;
  batch.settle("confirmed");
  return batch;
}

test("orders in a region that is down hold up no others", () => {
  const lag = new ShardLag({ targetMs: 2_000, stallOrders: 500 });
  batchIn(lag, undefined, 1_000);
  const other = batchIn(lag, "us", 2_000);
  lag.settled(other, true, 2_100);
  expect([lag.pending, lag.oldestMs(60_000)]).toEqual([0, 0]);
});

test("orders in a region that is away take no room: more than may wait were on their way", () => {
  const lag = new ShardLag({ targetMs: 2_000, stallOrders: 500 });
  for (let n = 0; n < 60; n++) batchIn(lag, undefined, 1_000);
  const other = batchIn(lag, "us", 1_000);
  lag.tick(5_000, TICK_MS);
  expect([lag.pending, lag.room(5_000)]).toEqual([610, false]);
  lag.away();
  expect([lag.pending, lag.room(5_000)]).toEqual([10, true]);
  lag.settled(other, true, 5_100);
  expect(lag.pending).toBe(0);
});

test("a region's empty queue says nothing about the orders of another", () => {
  const lag = new ShardLag({ targetMs: 2_000, stallOrders: 500 });
  batchIn(lag, undefined, 1_000);
  batchIn(lag, "us", 1_000);
  lag.emptyAt(5_000, "us");
  expect(lag.pending).toBe(10);
  lag.emptyAt(5_000);
  expect(lag.pending).toBe(0);
});
