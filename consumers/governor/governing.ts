// The governor at work: samples this worker's signals twice a second and sets the pace of its
// deciders.
import type { GovernorReport } from "../../core/domain/report.ts";
import { LoopDelay } from "../../core/metrics/loop-delay.ts";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import type { CpuWatch } from "./cpu.ts";
import { Governor, SAMPLE_MS, type Threshold } from "./governor.ts";
import { LogLimit } from "./log-limit.ts";
import { Timing } from "./timings.ts";

/** Thresholds by signal, in the unit the name ends with; undefined switches a signal off. */
export interface GovernorSettings {
  /** CPU used by others counts only while work waits for a CPU for this percentage of the time. */
  readonly pressurePercent: number;
  readonly thresholds: {
    readonly cpu_others_percent?: Threshold | undefined;
    readonly loop_delay_ms?: Threshold | undefined;
    readonly redis_ms?: Threshold | undefined;
    readonly ledger_ms?: Threshold | undefined;
    readonly outbox_ms?: Threshold | undefined;
  };
  /** The most orders per second this worker decides; 0: no limit. */
  readonly maxPerSecond: number;
}

/** The pace of a worker's deciders. */
export interface Pace {
  readonly paused: boolean;
  /** As a share of the full batch. */
  readonly batchShare: number;
  /** How long to rest after a step of `orders` that took `workedMs`, ms. */
  restMs(workedMs: number, orders: number): number;
}

/** The CPU is sampled on every second look only: it means reading about all processes. */
const CPU_EVERY = 2;

export class Governing implements Pace {
  /** Calls to Redis, ledger transactions, and entries from decision to record. */
  readonly redis: Timing;
  readonly ledger: Timing;
  readonly outbox: Timing;
  private readonly governor: Governor;
  private readonly loop: LoopDelay;
  private readonly timer: Timer;
  private readonly logLimit = new LogLimit();
  private samples = 0;
  private cpu = { cpu_pressure_percent: 0, cpu_others_percent: 0 };
  /** Monotonic ms until which `maxPerSecond` is used up by the orders decided so far. */
  private paidMs = 0;

  constructor(
    private readonly runtime: Runtime,
    private readonly settings: GovernorSettings,
    private readonly watch: CpuWatch | undefined,
    log: (event: string, detail: Record<string, unknown>) => void,
    /** Whether this worker loads the stores, and not only the CPU. */
    private readonly stores = true,
  ) {
    this.redis = new Timing(runtime.monotonicMs);
    this.ledger = new Timing(runtime.monotonicMs);
    this.outbox = new Timing(runtime.monotonicMs);
    this.loop = new LoopDelay(runtime);
    this.governor = new Governor({
      thresholds: settings.thresholds,
      onChange: (report) => {
        if (!this.logLimit.admits(report, runtime.monotonicMs())) return;
        const { state, level, reasons, signals } = report;
        log("governor", { state, level, reasons, signals });
      },
    });
    this.timer = this.runtime.startInterval(() => this.sample(), SAMPLE_MS);
    this.timer.unref();
  }

  get paused(): boolean {
    return this.governor.paused;
  }

  get batchShare(): number {
    return this.governor.batchShare;
  }

  restMs(workedMs: number, orders: number): number {
    return Math.max(this.governor.restMs(workedMs), this.owedMs(orders));
  }

  byHand(by: string | undefined): void {
    this.governor.byHand(by);
  }

  decidesAlone(last: boolean): void {
    this.governor.decidesAlone(last);
  }

  /** Whether it matters which processes are ours. */
  get watchesCpu(): boolean {
    return this.watch !== undefined;
  }

  /** Processes of this installation on this machine, by the roles' own reports. */
  ours(pids: readonly number[]): void {
    this.watch?.reported(pids);
  }

  report(): GovernorReport {
    return this.governor.report();
  }

  stop(): void {
    this.runtime.stopTimer(this.timer);
    this.loop.stop();
  }

  private owedMs(orders: number): number {
    const { maxPerSecond } = this.settings;
    if (maxPerSecond === 0) return 0;
    const nowMs = this.runtime.monotonicMs();
    this.paidMs = Math.max(nowMs, this.paidMs) + (orders / maxPerSecond) * 1_000;
    return this.paidMs - nowMs;
  }

  private sample(): void {
    if (this.samples++ % CPU_EVERY === 0) this.sampleCpu();
    const { redis, ledger, outbox, loop } = this;
    const stores: Record<string, number> = this.stores
      ? { redis_ms: redis.take(), ledger_ms: ledger.take(), outbox_ms: outbox.take() }
      : {};
    this.governor.sample(
      { ...this.cpu, loop_delay_ms: loop.take(), ...stores },
      this.runtime.monotonicMs(),
    );
  }

  private sampleCpu(): void {
    const sample = this.watch?.sample();
    if (!sample) return;
    const waited = sample.pressurePercent >= this.settings.pressurePercent;
    this.cpu = {
      cpu_pressure_percent: sample.pressurePercent,
      cpu_others_percent: waited ? sample.othersPercent : 0,
    };
  }
}
