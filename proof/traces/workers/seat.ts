// A worker of a trace: a real one, in a simulated process, that is started again when it crashes.
import { Worker } from "../../../consumers/shards/worker.ts";
import type { WorkerOptions } from "../../../consumers/shards/worker-options.ts";
import { ignore } from "../../../core/runtime/ignored.ts";
import { SharedClock } from "../../../core/stores/clock.ts";
import { RedisStore } from "../../../core/stores/redis.ts";
import { SimulatedProcess } from "../../simulate/process.ts";
import type { SimulatedWorld } from "../../simulate/simulated-world.ts";
import { REGIONS } from "../../simulate/system.ts";
import type { Gate } from "./gate.ts";
import { type Caller, gatedLedger, gatedRedis, LIBRARY } from "./gated-stores.ts";
import { beatAnswer } from "./leases.ts";

/** A heartbeat is due every 300 ms. No gap, hold or wait ends by itself. */
const FAR_MS = 1_000_000_000;
const WAITS: WorkerOptions["waits"] = {
  ...{ leaseMs: 1_200, dedupWindowMs: 3_600_000, gapTimeoutMs: 100, gapMaxMs: FAR_MS },
  ...{ holdTtlMs: FAR_MS, rateMaxAgeMs: FAR_MS, rateMaxStep: 10, rateWaitMs: FAR_MS },
  retryDelaysMs: [1, 1, 1],
};
/** The governor never pauses a worker that the trace holds up. */
const PATIENT = { slow: FAR_MS, pause: FAR_MS };
const GOVERNOR = {
  pressurePercent: 50,
  thresholds: { loop_delay_ms: PATIENT, redis_ms: PATIENT, ledger_ms: PATIENT, outbox_ms: PATIENT },
  maxPerSecond: 0,
};

export interface SeatOptions {
  readonly world: SimulatedWorld;
  readonly gate: Gate;
  /** Whether a look at the ledger's positions has no answer now. */
  readonly looksLost: () => boolean;
}

export class Seat {
  readonly id: string;
  /** The shards that the trace gives it. */
  wanted: ReadonlySet<number> = new Set();
  sweepsGaps = false;
  worker: Worker | undefined;
  /** How its last rebuild ended, as it logged it. */
  rebuildEnded: string | undefined;
  /** Why it last released a shard. */
  released = "";
  private process: SimulatedProcess;
  private starts = 0;

  constructor(
    index: number,
    private readonly options: SeatOptions,
  ) {
    this.id = `worker-${index}`;
    this.process = this.begin();
  }

  /** The name of its process. */
  get name(): string {
    return this.process.name;
  }

  get shards(): readonly number[] {
    return this.worker?.shards ?? [];
  }

  get halted(): boolean {
    return this.worker?.report().state.startsWith("halted") ?? false;
  }

  /** As `kill -9` does; a supervisor starts it again. */
  crash(): void {
    this.worker = undefined;
    this.process.kill();
    this.options.gate.forget(this.name);
    this.options.world.crashed(this.process);
    this.process = this.begin();
  }

  private begin(): SimulatedProcess {
    const { scheduler } = this.options.world;
    const process = new SimulatedProcess(scheduler, `${this.id}#${++this.starts}`);
    process.world.event("boot", () => void this.boot(process));
    return process;
  }

  /** As proof/simulate/roles.ts, behind the gate. */
  private async boot(process: SimulatedProcess): Promise<void> {
    const { world, gate, looksLost } = this.options;
    const caller: Caller = {
      ...{ gate, process: process.name, looksLost },
      beat: () => beatAnswer(this.id, this.wanted, world.scheduler.nowMs()),
      sweepsGaps: () => this.sweepsGaps,
    };
    const dial = world.parts.redis.dialer(process.name, process);
    const redis = new RedisStore({
      ...{ runtime: process, url: "", library: LIBRARY },
      dial: (url, options) => gatedRedis(dial(url, options), caller),
    });
    await redis.connect();
    const { ledger, writer } = gatedLedger(await world.ledger(process), caller);
    const links = await world.links(process, REGIONS, { heartbeatS: 1 });
    const log = (event: string, detail: Record<string, unknown>) => this.heard(event, detail);
    const clock = new SharedClock(redis, { runtime: process, log });
    await ignore(clock.start(), "clock_sync");
    const worker = new Worker({
      ...{ runtime: process, id: this.id, waits: WAITS, clock, log, spans: undefined },
      stores: { redis, ledger, writer, ledgerUrl: "" },
      brokers: { regions: links, publishers: [] },
      snapshotEntries: FAR_MS,
      makeSnapshot: () => Promise.reject(new Error("no snapshot is due")),
      governing: { governor: GOVERNOR, cpu: undefined },
    });
    worker.start();
    if (this.process === process) this.worker = worker;
  }

  private heard(event: string, { why, result }: Record<string, unknown>): void {
    if (event === "shard released") this.released = String(why);
    if (event === "rebuild begins again") this.rebuildEnded = "again";
    if (event === "rebuild left to others") this.rebuildEnded = String(result);
    if (event === "redis rebuilt" || event === "halted") this.rebuildEnded = event;
  }
}
