// The page of an overload run: every figure beside its target.
import { batchingText } from "../batching.ts";
import { conditionText } from "../conditions.ts";
import { waitingLine } from "../intake/settled.ts";
import type { LoadOnce } from "./once.ts";
import { type OverloadCase, type OverloadResult, ofSystem } from "./overload.ts";
import { type LoadResult, refusedOf } from "./run.ts";

interface Aim {
  readonly what: string;
  readonly aim: string;
  readonly measured: string;
  readonly met: boolean;
}

const whole = (n: number): string => Math.round(n).toLocaleString("en");
const percent = (share: number): string => `${Math.round(share * 100)}%`;
/** Refusals must be answered within this, ms. */
const REFUSED_P99_MS = 20;
const MIN_SHARE_OF_BEST = { held: 0.9, cpu: 0.45 } as const;
/** Refusing an order may cost at most this share of accepting one. */
const SHED_SHARE = 0.2;
const RECORDED_WITHIN_S = 15;
/**
 * Service is normal again within this after the flood: accepted orders are done, and new ones are
 * as fast as before.
 */
const NORMAL_WITHIN_S = 5;
/** Normal: p99 of an order's latency to its outcome, ms. */
const NORMAL_P99_MS = 500;
/** Maximum ratio of resident memory in the last third of a run to the first. */
const FLAT = 1.5;

export function aims(
  { name, bestPerSecond, bestMicros, load, after, recordedAfterS }: OverloadCase,
  targetWaitMs: number,
): Aim[] {
  const { latency } = load;
  const share = load.decidedPerSecond / bestPerSecond;
  const shed = refusedOf(load);
  const list: Aim[] = [];
  const add = (what: string, aim: string, measured: string, met: boolean) =>
    list.push({ what, aim, measured, met });
  const refusedSoon = () =>
    add(
      "refused orders, p99 to the answer",
      `< ${REFUSED_P99_MS} ms`,
      `${whole(latency.refused.p99)} ms`,
      latency.refused.p99 < REFUSED_P99_MS,
    );
  if (name === "shed") {
    const micros = ofSystem(load.cpuMicros);
    add(
      "CPU of a refused order, relative to an accepted one at capacity, without the generator",
      `≤ ${percent(SHED_SHARE)}`,
      `${percent(micros / bestMicros)} (${micros.toFixed(1)} of ${bestMicros.toFixed(1)} µs)`,
      micros <= SHED_SHARE * bestMicros && load.accepted === 0,
    );
    refusedSoon();
  } else if (name !== "burst") {
    add(
      "decided and recorded, of capacity",
      `≥ ${percent(MIN_SHARE_OF_BEST[name])}`,
      `${percent(share)} (${whole(load.decidedPerSecond)}/s)`,
      share >= MIN_SHARE_OF_BEST[name],
    );
    const limit = 1.5 * targetWaitMs;
    add(
      "accepted orders, p99 to the outcome",
      `≤ ${whole(limit)} ms`,
      `${whole(latency.decided.p99)} ms`,
      latency.decided.p99 <= limit,
    );
    refusedSoon();
    const grown = Math.max(
      ...Object.entries(load.memoryMb)
        .filter(([part]) => !STORES.has(part))
        .map(([, mb]) => growth(mb)),
    );
    add(
      "memory of gateway and worker, last third over the first",
      `≤ ${FLAT}×`,
      `${grown.toFixed(2)}×`,
      grown <= FLAT,
    );
  }
  if (name !== "shed") {
    const withinS = name === "burst" ? RECORDED_WITHIN_S : NORMAL_WITHIN_S;
    const measured = `${recordedAfterS.toFixed(1)} s`;
    add(
      "accepted orders recorded after the last was offered",
      `≤ ${withinS} s`,
      measured,
      recordedAfterS <= withinS,
    );
  }
  add("unanswered orders", "0", whole(load.unanswered), load.unanswered === 0);
  add("accepted orders without an outcome", "0", whole(load.undecided), load.undecided === 0);
  if (after)
    add(
      "recovery: p99 to the outcome at a tenth of capacity, 5 s",
      `≤ ${NORMAL_P99_MS} ms, none refused`,
      `${whole(after.latency.decided.p99)} ms, ${whole(after.latency.refused.count)} refused`,
      after.latency.decided.p99 <= NORMAL_P99_MS && after.latency.refused.count === 0,
    );
  add(
    "offered and sent",
    "equal",
    `${whole(load.offered)}/s and ${whole(load.achieved)}/s; ` +
      `${whole(load.acceptedPerSecond)}/s accepted, ` +
      `${whole(shed)} refused (${Object.keys(load.refused).join(", ")})`,
    load.achieved >= load.offered * 0.97,
  );
  return list;
}

const STORES: ReadonlySet<string> = new Set(["redis", "rabbitmq"]);

function growth(mb: readonly number[]): number {
  const third = Math.max(1, Math.floor(mb.length / 3));
  const mean = (part: readonly number[]) =>
    part.reduce((sum, n) => sum + n, 0) / Math.max(1, part.length);
  return mean(mb.slice(-third)) / Math.max(1, mean(mb.slice(0, third)));
}

/** `plots`: whether a plot of each case lies beside the page. */
export function overloadPage(result: OverloadResult, plots = false): string {
  const { targetWaitMs, cases } = result;
  const lines = [
    "# Overload",
    "",
    conditionText(result),
    "Open loop over WebSockets, one order per frame, latencies from each order's intended start;",
    `admission with a target wait of ${targetWaitMs} ms, governor and metrics on.`,
    "",
  ];
  for (const one of cases) {
    lines.push(
      `## ${one.name}: capacity ${whole(one.bestPerSecond)} orders/s, ` +
        `offered ${whole(one.load.offered)}/s for ${one.load.seconds} s`,
      "",
    );
    lines.push("| what | target | measured | |", "|---|---|---|---|");
    for (const { what, aim, measured, met } of aims(one, targetWaitMs))
      lines.push(`| ${what} | ${aim} | ${measured} | ${met ? "✓" : "✗"} |`);
    lines.push("", ...details(one.load));
    if (plots) lines.push("", `![${one.name}, over time](overload-${one.name}.svg)`);
    const left = waitingLine(one.waiting ?? []);
    if (left) lines.push("", `**${left}**`);
    lines.push(
      "",
      ...Object.entries(one.load.memoryMb).map(([part, mb]) => `- ${part}: ${mb.join(", ")} MB`),
      "",
    );
  }
  return `${lines.join("\n")}\n`;
}

/** Figures of any run beside its targets. */
function details({ latency, cpuMicros, behindMs }: LoadResult): string[] {
  const { accepted, decided, refused } = latency;
  const cpu = Object.entries(cpuMicros).map(([part, micros]) => `${part} ${micros.toFixed(1)}`);
  return [
    `To the acknowledgement p50 ${whole(accepted.p50)} ms, p99 ${whole(accepted.p99)} ms; ` +
      `to the outcome p50 ${whole(decided.p50)} ms, max ${whole(decided.max)} ms; ` +
      `refused p50 ${refused.p50.toFixed(1)} ms.`,
    `CPU per offered order, µs: ${cpu.join(", ")}. ` +
      `The generator was at most ${whole(behindMs)} ms behind its schedule.`,
  ];
}

const LATENCY_ROWS = {
  accepted: "to the acknowledgement",
  decided: "to the outcome",
  refused: "to the refusal",
} as const;

/** `plot`: the plot's file, if there is one. */
export function loadPage(load: LoadOnce, plot?: string): string {
  const { offered, achieved, seconds, warmUpSeconds, sockets, workerRate, targetWaitMs } = load;
  const rows = Object.entries(LATENCY_ROWS).map(([key, what]) => {
    const { count, p50, p99, max } = load.latency[key as keyof typeof LATENCY_ROWS];
    const times = `${p50.toFixed(1)} | ${p99.toFixed(1)} | ${max.toFixed(1)}`;
    return `| ${what} | ${whole(count)} | ${times} |`;
  });
  const refused = Object.entries(load.refused).map(([code, n]) => `${whole(n)} ${code}`);
  const limited = workerRate > 0 ? ` The worker is held to ${whole(workerRate)} orders/s.` : "";
  const left = waitingLine(load.waiting);
  return `# Load

${conditionText(load)}
Open loop for ${seconds} s after ${warmUpSeconds} s of warm-up, ${sockets} WebSockets that send
${load.spread ? "in turns" : "at the same moments"}, one order per frame,
${load.allReserved ? "all" : "one in ten"} reserved; target wait ${whole(targetWaitMs)} ms,
governor and metrics on.${limited}

Offered ${whole(offered)}/s, sent ${whole(achieved)}/s; accepted ${whole(load.acceptedPerSecond)}/s,
decided and recorded ${whole(load.decidedPerSecond)}/s; refused: ${refused.join(", ") || "none"};
unanswered: ${whole(load.unanswered)}, accepted without an outcome: ${whole(load.undecided)}.

| ms from the intended start | orders | p50 | p99 | max |
|---|---|---|---|---|
${rows.join("\n")}

${details(load)[1]}
${batchingText(load.batching)}
${plot ? `\n![Rates, orders waiting and latencies over time](${plot})\n` : ""}\
${left ? `\n**${left}**\n` : ""}`;
}
