// One simulation: a world, a system in it, clients and faults; then everything heals, and the
// result must be correct.
//
//   start ─▶ rush: clients and faults ─▶ heal ─▶ drain ─▶ judge

import { messageOf } from "../../core/domain/message-of.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { LedgerAudit } from "../../ledger/audit.ts";
import { Clients } from "./clients.ts";
import { Faults, type Forgotten } from "./faults.ts";
import { lateGaps, startFlood } from "./flood.ts";
import { Invariants } from "./invariants.ts";
import { judge, type Sight, violationsIn, waitingIn } from "./judge.ts";
import type { Scenario } from "./profiles.ts";
import { unlikeRebuilt } from "./rebuilt.ts";
import { SALE_ID, type Schedule } from "./schedule.ts";
import { Scheduler, START_MS } from "./scheduler.ts";
import type { SimulatedWorld } from "./simulated-world.ts";
import { SERVICES, System } from "./system.ts";
import { Targets } from "./targets.ts";

export interface Outcome {
  readonly seed: number;
  readonly scenario: Scenario;
  /** Over the trace, what clients saw, and the ledger. Two runs of a schedule have the same. */
  readonly hash: number;
  readonly steps: number;
  /** Simulated time, ms. */
  readonly lastedMs: number;
  readonly crashes: number;
  readonly faults: number;
  readonly accepted: number;
  /** Each broken rule, as a line; empty: all held. */
  readonly violations: readonly string[];
  /** What ran last. */
  readonly lines: readonly string[];
}

export interface SimulateOptions {
  readonly open: (scheduler: Scheduler, schedule: Schedule) => Promise<SimulatedWorld>;
  /** The most events; more is a violation, since everything comes to rest long before. */
  readonly mostSteps?: number;
}

/**
 * How long the system has to own its shards, and after the rush, to come to rest. A charge without
 * a definite answer is looked up at growing intervals, so its end may take minutes.
 */
const BOOT_MS = 20_000;
const DRAIN_MS = 900_000;
/** The time within which everything must halt after the ledger went back. */
const HALT_MS = 30_000;
const LOOK_MS = 1_000;
const MAX_STEPS = 400_000;
/** Looks in succession that must find the system at rest. */
const STILL_LOOKS = 2;

export async function simulate(schedule: Schedule, options: SimulateOptions): Promise<Outcome> {
  const scheduler = new Scheduler(schedule.seed);
  const world = await options.open(scheduler, schedule);
  // Outside, a rejection that nobody handles ends the process.
  const unhandled = (error: unknown) => void scheduler.errors.push(`rejected: ${messageOf(error)}`);
  process.on("unhandledRejection", unhandled);
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0; // amqplib captures a stack for each call: a tenth of the time
  try {
    return await new Simulation(schedule, scheduler, world, options).run();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    process.off("unhandledRejection", unhandled);
    await world.close();
  }
}

class Simulation {
  private readonly system: System;
  private readonly clients: Clients;
  private readonly faults: Faults;
  private readonly invariants: Invariants;
  private readonly violations: string[] = [];
  /** Rebuilds before the rush; undefined: they are not counted. */
  private rebuilds: number | undefined;

  constructor(
    private readonly schedule: Schedule,
    private readonly scheduler: Scheduler,
    private readonly world: SimulatedWorld,
    private readonly options: SimulateOptions,
  ) {
    this.system = new System(scheduler, schedule, world);
    this.clients = new Clients(scheduler, () => this.system.gateways);
    this.faults = new Faults(scheduler, this.system, world);
    this.invariants = new Invariants(world.sight.db, world.sight.redis, SALE_ID);
  }

  async run(): Promise<Outcome> {
    const { schedule, scheduler, world } = this;
    await world.prepare(schedule, SERVICES);
    try {
      await this.whole();
    } catch (error) {
      this.violations.push(`broken off: ${messageOf(error)}`); // the next seed can still run
    }
    for (const error of scheduler.errors) this.violations.push(`uncaught: ${error}`);
    const { seed, scenario } = schedule;
    const { steps, lines } = scheduler;
    const hash = this.digest();
    const { crashes, total: faults } = this.faults;
    const { accepted } = this.clients;
    const lastedMs = Math.round(scheduler.nowMs() - START_MS);
    const { violations } = this;
    const counts = { steps, lastedMs, crashes, faults, accepted };
    return { seed, scenario, hash, ...counts, violations, lines };
  }

  private digest(): number {
    const { crc32 } = Bun.hash;
    const seen = crc32(JSON.stringify(this.clients.lines), this.scheduler.hash);
    return crc32(this.world.parts.ledger.backup(), seen);
  }

  private async whole(): Promise<void> {
    this.system.startAll();
    if (await this.until(() => this.started(), BOOT_MS)) return this.rush();
    this.violations.push("liveness: the system did not start");
  }

  private async rush(): Promise<void> {
    const { schedule, scheduler } = this;
    const fromMs = scheduler.nowMs();
    this.clients.begin(schedule.actions, fromMs);
    this.faults.begin(schedule.faults, fromMs);
    this.rebuilds = await this.invariants.rebuilds();
    const gateways = () => this.system.gateways;
    const calm = schedule.flood
      ? startFlood(scheduler, this.world, schedule.actions, gateways)
      : undefined;
    const targets = new Targets(this.world.sight.db, scheduler.nowMs);
    await this.until(async () => {
      if (schedule.targets) await targets.look();
      return false;
    }, schedule.rushMs);
    this.violations.push(...targets.violations);
    if (calm) this.violations.push(...(await lateGaps(this.world)));
    calm?.();
    await this.faults.heal();
    if (this.faults.forgotten && (await this.halts(this.faults.forgotten))) return;
    let still = 0;
    let waiting: readonly string[] = [];
    await this.until(async () => {
      waiting = await this.waiting();
      still = waiting.length === 0 ? still + 1 : 0;
      return still >= STILL_LOOKS;
    }, DRAIN_MS);
    if (waiting.length > 0) this.violations.push(`liveness: ${waiting.join("; ")}`);
    this.violations.push(...this.invariants.violations);
    const verdict = await judge(this.sight(), this.clients.lines);
    this.violations.push(...violationsIn(verdict).filter((one) => !one.startsWith("not at rest")));
    if (verdict.result === "inconclusive" && waiting.length === 0)
      this.violations.push(`liveness: ${verdict.undrained.join("; ")}`);
    if (waiting.length === 0) this.violations.push(...(await unlikeRebuilt(this.world, SALE_ID)));
  }

  /**
   * A ledger that has forgotten what it had confirmed must halt everything. If Redis never learned
   * of the confirmation, everything may continue: then the entries are still in its outbox. Returns
   * whether everything halted.
   */
  private async halts(forgotten: readonly Forgotten[]): Promise<boolean> {
    // A worker that owns nothing learns of the halt when it is to acquire a shard.
    const workers = () => this.system.of("worker").flatMap(({ worker }) => worker ?? []);
    const halted = async () =>
      workers().some((worker) => worker.report().state.startsWith("halted")) &&
      workers().every(({ shards }) => shards.length === 0);
    const all = await this.until(halted, HALT_MS);
    if (!all && forgotten.length === 0) return false;
    if (!all) this.violations.push("restored: not everything is halted");
    for (const { shard, n, id } of forgotten) {
      const text = "SELECT last_n, last_id FROM shards WHERE shard = ?";
      const [now] = await this.world.sight.db.run(text, [shard]);
      if (Number(now?.last_n) !== n || now?.last_id !== id)
        this.violations.push(`restored: shard ${shard} went on after entry ${n}`);
    }
    return true;
  }

  /** Redis has the sale, and every shard an owner. */
  private async started(): Promise<boolean> {
    if (this.system.gateways.some((gateway) => gateway === undefined)) return false;
    if (!(await this.world.sight.redis.stock(SALE_ID))) return false;
    return this.unowned === 0;
  }

  /** How many shards no worker has: they are not decided, because Redis is closed, say. */
  private get unowned(): number {
    const owned = this.system.of("worker").flatMap(({ worker }) => worker?.shards ?? []);
    return this.schedule.shape.shards - new Set(owned).size;
  }

  /** A loss leads to one rebuild, and so does a worker that stops in the middle of one. */
  private async countRebuilds(): Promise<void> {
    const most = this.faults.mostRebuilds;
    if (this.rebuilds === undefined || most === undefined) return;
    const made = (await this.invariants.rebuilds()) - this.rebuilds;
    if (made <= most) return;
    this.violations.push(`rebuilt: Redis was rebuilt ${made} times, for at most ${most} reasons`);
    this.rebuilds = undefined;
  }

  private async waiting(): Promise<readonly string[]> {
    const audit = await LedgerAudit.open(realRuntime, this.world.sight.db);
    const found = [...(await waitingIn(this.sight(), audit))];
    if (this.unowned > 0) found.push(`${this.unowned} shards without an owner`);
    if (this.clients.open > 0) found.push(`${this.clients.open} clients without an answer`);
    const { unknown } = await this.world.sight.ledger.owed();
    if (unknown > 0) found.push(`${unknown} charges whose end is unknown`);
    if (this.system.provider.open > 0) found.push("the provider has something to do");
    return found;
  }

  private sight(): Sight {
    const { provider, packed } = this.system;
    const captures = () => provider.records();
    return { ...this.world.sight, captures, packed, now: this.scheduler.nowMs };
  }

  /** Lets time pass until something is true, asked now and then. Whether it became true in time. */
  private async until(done: () => Promise<boolean>, withinMs: number): Promise<boolean> {
    const endMs = this.scheduler.nowMs() + withinMs;
    while (this.scheduler.nowMs() < endMs) {
      await this.advance(LOOK_MS);
      if (this.faults.forgotten) this.invariants.wentBack();
      await this.invariants.look();
      await this.countRebuilds();
      if (await done()) return true;
    }
    return false;
  }

  private async advance(ms: number): Promise<void> {
    const { scheduler, options } = this;
    const most = options.mostSteps ?? MAX_STEPS;
    await scheduler.run(scheduler.nowMs() + ms, () => scheduler.steps >= most);
    if (scheduler.steps >= most) throw new Error(`more than ${most} events`);
  }
}
