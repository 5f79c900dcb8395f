// The WebSocket load generator. It runs in its own process, so that its cost is measured
// separately, and prints a JSON line per second and one at the end.
//
//   bun bench/intake/flood.ts <JSON of FloodOptions>
import { at } from "../../core/domain/at.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { Latencies, Slice } from "../load/slices.ts";
import { bodiesOver } from "../scale/workload.ts";
import { FloodClock } from "./flood-clock.ts";
import { FloodSocket } from "./flood-socket.ts";
import { bodies, frameTemplate } from "./orders.ts";

export interface FloodOptions {
  readonly url: string;
  readonly token: string;
  readonly sockets: number;
  readonly seconds: number;
  /** Maximum of orders sent but not yet decided; 0: no limit. */
  readonly window: number;
  readonly allReserved: boolean;
  /** Further gateways; sockets spread over all. */
  readonly more?: readonly string[];
  /** Default: the standard workload's. */
  readonly users?: number;
  /** Items of sales of bench/scale/workload.ts; default: those of the standard workload. */
  readonly items?: number;
}

export interface FloodReport {
  readonly seconds: number;
  readonly sent: number;
  readonly accepted: number;
  readonly decided: number;
  readonly refused: Readonly<Record<string, number>>;
  /** CPU of this process so far, µs. */
  readonly cpuMicros: number;
  /** At the end: latencies over time, from the moment an order was written. */
  readonly slices?: readonly Slice[];
  readonly latency?: Latencies;
  readonly end?: boolean;
}

/** How long to wait for the last answers and outcomes after sending. */
const SETTLE_S = 120;

if (import.meta.main) await flood(JSON.parse(process.argv[2] ?? "{}") as FloodOptions);

async function flood(options: FloodOptions): Promise<void> {
  const counts = { sent: 0, accepted: 0, decided: 0, refused: new Map<string, number>() };
  const refused = () => [...counts.refused.values()].reduce((sum, n) => sum + n, 0);
  let sending = true;
  const may = () =>
    sending && (options.window === 0 || counts.sent - counts.decided - refused() < options.window);
  const { token, items, users, more = [] } = options;
  const bodyTexts = items === undefined ? bodies(options.allReserved) : bodiesOver(items);
  const templates = bodyTexts.map((body) =>
    users === undefined ? frameTemplate(body) : frameTemplate(body, String(users - 1).length),
  );
  const urls = [options.url, ...more].map((url) => new URL(url));
  const clock = new FloodClock(options.seconds, options.sockets, realRuntime.monotonicMs);
  const sockets = Array.from(
    { length: options.sockets },
    (_, index) =>
      new FloodSocket({
        ...{ url: at(urls, index % urls.length), token, index, templates, counts, may },
        ...(users === undefined ? {} : { users }),
        sends: (serial, count) => clock.sends(index, serial, count),
        heard: (serial, event) => clock.heard(index, serial, event),
      }),
  );
  await Promise.all(sockets.map((socket) => socket.connect()));
  const started = realRuntime.monotonicMs();
  clock.start();
  const report = (end?: boolean) => {
    const seconds = (realRuntime.monotonicMs() - started) / 1_000;
    const { user, system } = process.cpuUsage();
    const line: FloodReport = {
      seconds,
      ...counts,
      refused: Object.fromEntries(counts.refused),
      cpuMicros: user + system,
      ...(end ? { slices: clock.overTime(), latency: clock.total(), end } : {}),
    };
    console.log(JSON.stringify(line));
  };
  for (const socket of sockets) socket.fill();
  for (let second = 1; second <= options.seconds; second++) {
    await realRuntime.sleep(started + second * 1_000 - realRuntime.monotonicMs());
    if (second === options.seconds) sending = false;
    report();
  }
  const end = realRuntime.monotonicMs() + SETTLE_S * 1_000;
  while (realRuntime.monotonicMs() < end && counts.accepted + refused() < counts.sent)
    await realRuntime.sleep(10);
  report(true);
  for (const socket of sockets) socket.close();
  process.exit(0);
}
