// The open-loop generator, in its own process. It offers orders at a fixed rate, however fast they
// are answered, and measures each from its scheduled time. Orders delayed by missing credit or a
// busy generator count with that delay. Prints a JSON line per second and one at the end.
//
//   bun bench/load/load.ts <JSON of LoadOptions>
import { build, type Histogram } from "hdr-histogram-js";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { FloodSocket } from "../intake/flood-socket.ts";
import { bodies, frameTemplate } from "../intake/orders.ts";

export interface LoadOptions {
  readonly url: string;
  readonly token: string;
  readonly sockets: number;
  readonly seconds: number;
  /** Orders a second, over all sockets. */
  readonly rate: number;
  readonly allReserved: boolean;
}

/** Ms since the scheduled time. */
export interface Latency {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface LoadReport {
  /** Since the first scheduled order. */
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
  readonly latency?: Readonly<Record<"accepted" | "decided" | "refused", Latency>>;
  /** When the last outcome arrived, seconds since the start. */
  readonly lastOutcomeS?: number;
  readonly end?: boolean;
}

/** How long to wait for the last answers and outcomes after sending. */
const SETTLE_S = 60;
const TICK_MS = 1;
/** Half an hour in µs, far above any latency here. */
const HIGHEST_MICROS = 1_800_000_000;

if (import.meta.main) await load(JSON.parse(process.argv[2] ?? "{}") as LoadOptions);

async function load(options: LoadOptions): Promise<void> {
  const counts = { sent: 0, accepted: 0, decided: 0, refused: new Map<string, number>() };
  const histograms = { accepted: histogram(), decided: histogram(), refused: histogram() };
  const templates = bodies(options.allReserved).map(frameTemplate);
  const url = new URL(options.url);
  const { token } = options;
  /** Orders per ms and socket. */
  const perMs = options.rate / options.sockets / 1_000;
  const each = Math.floor((options.rate / options.sockets) * options.seconds);
  let startedMs = Number.POSITIVE_INFINITY;
  let behindMs = 0;
  let lastOutcomeMs = 0;
  let told = 0;
  const dueAt = (serial: number) => startedMs + serial / perMs;
  const due = (serial: number) =>
    Math.min(each, Math.floor((realRuntime.monotonicMs() - startedMs) * perMs)) - serial;
  const heard = (serial: number, what: "accepted" | "decided" | "refused") => {
    const nowMs = realRuntime.monotonicMs();
    histograms[what].recordValue(
      Math.min(HIGHEST_MICROS, Math.max(1, (nowMs - dueAt(serial)) * 1_000)),
    );
    if (what !== "decided") return;
    lastOutcomeMs = nowMs;
    told++;
  };
  const sockets = Array.from(
    { length: options.sockets },
    (_, index) =>
      new FloodSocket({ url, token, index, templates, counts, may: () => true, due, heard }),
  );
  await Promise.all(sockets.map((socket) => socket.connect()));
  startedMs = realRuntime.monotonicMs();
  const refused = () => [...counts.refused.values()].reduce((sum, n) => sum + n, 0);
  const report = (end?: boolean) => {
    const seconds = (realRuntime.monotonicMs() - startedMs) / 1_000;
    const { user, system } = process.cpuUsage();
    const line: LoadReport = {
      seconds,
      offered: Math.min(each, Math.floor(seconds * 1_000 * perMs)) * options.sockets,
      ...counts,
      refused: Object.fromEntries(counts.refused),
      missed: counts.decided - told,
      behindMs,
      cpuMicros: user + system,
      ...(end
        ? { latency: latencies(histograms), lastOutcomeS: (lastOutcomeMs - startedMs) / 1_000, end }
        : {}),
    };
    console.log(JSON.stringify(line));
  };
  let tickedMs = startedMs;
  const pacer = realRuntime.startInterval(() => {
    const nowMs = realRuntime.monotonicMs();
    behindMs = Math.max(behindMs, nowMs - tickedMs - TICK_MS);
    tickedMs = nowMs;
    for (const socket of sockets) socket.fill();
  }, TICK_MS);
  for (let second = 1; second <= options.seconds; second++) {
    await realRuntime.sleep(startedMs + second * 1_000 - realRuntime.monotonicMs());
    report();
  }
  const planned = each * options.sockets;
  const end = realRuntime.monotonicMs() + SETTLE_S * 1_000;
  const open = () =>
    counts.sent < planned ||
    counts.accepted + refused() < counts.sent ||
    counts.decided < counts.accepted;
  while (realRuntime.monotonicMs() < end && open()) await realRuntime.sleep(10);
  realRuntime.stopTimer(pacer);
  report(true);
  for (const socket of sockets) socket.close();
  process.exit(0);
}

function histogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: HIGHEST_MICROS,
    numberOfSignificantValueDigits: 3,
  });
}

function latencies(
  histograms: Record<"accepted" | "decided" | "refused", Histogram>,
): NonNullable<LoadReport["latency"]> {
  const ms = (micros: number) => Math.round(micros) / 1_000;
  const of = (h: Histogram): Latency => ({
    count: h.totalCount,
    p50: ms(h.getValueAtPercentile(50)),
    p99: ms(h.getValueAtPercentile(99)),
    max: ms(h.maxValue),
  });
  return {
    accepted: of(histograms.accepted),
    decided: of(histograms.decided),
    refused: of(histograms.refused),
  };
}
