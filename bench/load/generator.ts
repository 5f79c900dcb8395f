// An open-loop generator: it offers orders at a fixed rate, however fast they are answered, and
// measures each from its intended start. Orders delayed by missing credit or a busy generator count
// with that delay. Orders of the warm-up count in nothing.
import { realRuntime } from "../../core/runtime/runtime.ts";
import { type FloodCounts, FloodSocket } from "../intake/flood-socket.ts";
import { bodies, frameTemplate } from "../intake/orders.ts";
import { Schedule } from "./schedule.ts";
import { type Event, type Latencies, type Slice, SlicedLatencies } from "./slices.ts";

export interface LoadOptions {
  readonly url: string;
  readonly token: string;
  readonly sockets: number;
  readonly seconds: number;
  /** Seconds at the same rate before the run; default: none. */
  readonly warmUpSeconds?: number;
  /** Orders a second, over all sockets. */
  readonly rate: number;
  /** Sockets take turns, evenly spaced; otherwise they all send at the same moments. */
  readonly spread?: boolean;
  readonly allReserved: boolean;
}

export interface LoadReport {
  /** Since the start of the run. */
  readonly seconds: number;
  readonly offered: number;
  readonly sent: number;
  readonly accepted: number;
  readonly decided: number;
  readonly refused: Readonly<Record<string, number>>;
  /** Orders without an outcome frame of their own, because the socket missed it. */
  readonly missed: number;
  /** Worst delay of the generator behind its schedule, ms. */
  readonly behindMs: number;
  readonly cpuMicros: number;
  /** At the end: latency to acknowledgement, outcome and refusal. */
  readonly latency?: Latencies;
  readonly slices?: readonly Slice[];
  /** When the last outcome arrived, seconds since the start. */
  readonly lastOutcomeS?: number;
  readonly end?: boolean;
}

/** How long to wait for the last answers and outcomes of the run, and of its warm-up. */
const SETTLE_S = 60;
const WARM_SETTLE_S = 10;
const TICK_MS = 1;
const LOOK_MS = 10;

const noCounts = (): FloodCounts => ({ sent: 0, accepted: 0, decided: 0, refused: new Map() });

/** Orders under way: a schedule, its start, and the number of each socket's first order in it. */
interface Phase {
  readonly schedule: Schedule;
  readonly startedMs: number;
  readonly first: number;
}

export class Generator {
  /** Of all orders, and of the run's alone. */
  private readonly all = noCounts();
  private readonly own = noCounts();
  private readonly sockets: readonly FloodSocket[];
  private readonly latencies: SlicedLatencies;
  private readonly warm: Schedule;
  private readonly main: Schedule;
  private phase: Phase;
  private behindMs = 0;
  /** Outcomes with a frame of their own, and those that had none before the run. */
  private told = 0;
  private missedBefore = 0;
  private lastOutcomeMs = 0;
  private cpuBefore = process.cpuUsage();

  constructor(
    private readonly options: LoadOptions,
    private readonly onReport: (report: LoadReport) => void,
  ) {
    const { spread = false, warmUpSeconds = 0 } = options;
    this.warm = new Schedule({ ...options, spread, seconds: warmUpSeconds });
    this.main = new Schedule({ ...options, spread });
    this.phase = { schedule: this.warm, startedMs: Number.POSITIVE_INFINITY, first: 0 };
    this.latencies = new SlicedLatencies(options.seconds);
    this.sockets = this.newSockets();
  }

  async connect(): Promise<void> {
    await Promise.all(this.sockets.map((socket) => socket.connect()));
  }

  /** Sends the warm-up's orders and waits for their outcomes. */
  async warmUp(): Promise<void> {
    if (this.warm.seconds === 0) return;
    await this.send(this.warm, 0, WARM_SETTLE_S, () => undefined);
  }

  async run(): Promise<void> {
    this.missedBefore = this.all.decided - this.told;
    this.behindMs = 0;
    this.cpuBefore = process.cpuUsage();
    await this.send(this.main, this.warm.each, SETTLE_S, () => this.report());
    this.report(true);
    for (const socket of this.sockets) socket.close();
  }

  private newSockets(): FloodSocket[] {
    const { url, token, sockets, allReserved } = this.options;
    const templates = bodies(allReserved).map((body) => frameTemplate(body));
    const shared = { url: new URL(url), token, templates, counts: this.all, may: () => true };
    return Array.from(
      { length: sockets },
      (_, index) =>
        new FloodSocket({
          ...shared,
          index,
          due: (sent) => this.due(index, sent),
          heard: (serial, event, code) => this.heard(index, serial, event, code),
        }),
    );
  }

  private due(socket: number, sent: number): number {
    const { schedule, startedMs, first } = this.phase;
    return first + schedule.dueBy(realRuntime.monotonicMs() - startedMs, socket) - sent;
  }

  private heard(socket: number, serial: number, event: Event, code = ""): void {
    if (event === "decided") this.told++;
    const order = serial - this.warm.each;
    if (order < 0) return;
    const nowMs = realRuntime.monotonicMs();
    const dueMs = this.main.dueMs(order, socket);
    this.latencies.record(event, dueMs, nowMs - this.phase.startedMs - dueMs);
    if (event === "refused") this.own.refused.set(code, (this.own.refused.get(code) ?? 0) + 1);
    else this.own[event]++;
    if (event === "decided") this.lastOutcomeMs = nowMs;
  }

  /** Sends a schedule's orders at their times, then waits for all answers and outcomes. */
  private async send(
    schedule: Schedule,
    first: number,
    settleS: number,
    onSecond: () => void,
  ): Promise<void> {
    const startedMs = realRuntime.monotonicMs();
    this.phase = { schedule, startedMs, first };
    let tickedMs = startedMs;
    const pacer = realRuntime.startInterval(() => {
      const nowMs = realRuntime.monotonicMs();
      this.behindMs = Math.max(this.behindMs, nowMs - tickedMs - TICK_MS);
      tickedMs = nowMs;
      for (const socket of this.sockets) socket.fill();
    }, TICK_MS);
    for (let second = 1; second <= schedule.seconds; second++) {
      await realRuntime.sleep(startedMs + second * 1_000 - realRuntime.monotonicMs());
      onSecond();
    }
    const planned = (first + schedule.each) * this.sockets.length;
    const end = realRuntime.monotonicMs() + settleS * 1_000;
    while (realRuntime.monotonicMs() < end && this.open(planned)) await realRuntime.sleep(LOOK_MS);
    realRuntime.stopTimer(pacer);
  }

  /** Whether orders have not been sent, answered or decided. */
  private open(planned: number): boolean {
    const { sent, accepted, decided, refused } = this.all;
    return sent < planned || accepted + sum(refused) < sent || decided < accepted;
  }

  private report(end?: boolean): void {
    const { startedMs } = this.phase;
    const seconds = (realRuntime.monotonicMs() - startedMs) / 1_000;
    const { user, system } = process.cpuUsage(this.cpuBefore);
    const missed = this.all.decided - this.told - this.missedBefore;
    const own = (sent: number) => Math.max(0, sent - this.warm.each);
    const { schedule } = this.phase;
    this.onReport({
      seconds,
      offered: this.sockets.reduce((n, _, socket) => n + schedule.dueBy(seconds * 1e3, socket), 0),
      sent: this.sockets.reduce((n, socket) => n + own(socket.sent), 0),
      accepted: this.own.accepted,
      decided: this.own.decided + missed,
      refused: Object.fromEntries(this.own.refused),
      missed,
      behindMs: this.behindMs,
      cpuMicros: user + system,
      ...(end ? { ...this.figures(), end } : {}),
    });
  }

  private figures(): Pick<LoadReport, "latency" | "slices" | "lastOutcomeS"> {
    return {
      latency: this.latencies.total(),
      slices: this.latencies.overTime(),
      lastOutcomeS: Math.max(0, (this.lastOutcomeMs - this.phase.startedMs) / 1_000),
    };
  }
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, n) => total + n, 0);
}
