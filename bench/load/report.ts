// The page of an overload run: each figure beside what is aimed at.
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
/** Refusals are to be answered within this, ms. */
const REFUSED_P99_MS = 20;
const LEAST_OF_BEST = { held: 0.9, cpu: 0.45 } as const;
/** Turning an order away may cost this share of taking it in. */
const SHED_SHARE = 0.2;
const RECORDED_WITHIN_S = 15;
/**
 * After the flood service is normal within this: what was accepted is done, and what comes then is
 * as fast as ever.
 */
const NORMAL_WITHIN_S = 5;
/** Normal again: p99 of an order's way to its outcome, ms. */
const NORMAL_P99_MS = 500;
/** Resident memory of the last third of a run against the first. */
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
      "refused orders, p99 until the answer",
      `< ${REFUSED_P99_MS} ms`,
      `${whole(latency.refused.p99)} ms`,
      latency.refused.p99 < REFUSED_P99_MS,
    );
  if (name === "shed") {
    const micros = ofSystem(load.cpuMicros);
    add(
      "CPU of an order turned away, of one taken in at the best, all parts but the generator",
      `≤ ${percent(SHED_SHARE)}`,
      `${percent(micros / bestMicros)} (${micros.toFixed(1)} of ${bestMicros.toFixed(1)} µs)`,
      micros <= SHED_SHARE * bestMicros && load.accepted === 0,
    );
    refusedSoon();
  } else if (name !== "burst") {
    add(
      "decided and recorded, of the best",
      `≥ ${percent(LEAST_OF_BEST[name])}`,
      `${percent(share)} (${whole(load.decidedPerSecond)}/s)`,
      share >= LEAST_OF_BEST[name],
    );
    const limit = 1.5 * targetWaitMs;
    add(
      "accepted orders, p99 until the outcome",
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
      "memory of gateway and worker, last third against the first",
      `≤ ${FLAT}×`,
      `${grown.toFixed(2)}×`,
      grown <= FLAT,
    );
  }
  if (name !== "shed") {
    const withinS = name === "burst" ? RECORDED_WITHIN_S : NORMAL_WITHIN_S;
    const measured = `${recordedAfterS.toFixed(1)} s`;
    add(
      "accepted orders in the ledger after the last was offered",
      `≤ ${withinS} s`,
      measured,
      recordedAfterS <= withinS,
    );
  }
  add("orders without an answer", "0", whole(load.unanswered), load.unanswered === 0);
  add("accepted orders without an outcome", "0", whole(load.undecided), load.undecided === 0);
  if (after)
    add(
      "normal again after it: p99 until the outcome at a tenth of the best, 5 s",
      `≤ ${NORMAL_P99_MS} ms, none refused`,
      `${whole(after.latency.decided.p99)} ms, ${whole(after.latency.refused.count)} refused`,
      after.latency.decided.p99 <= NORMAL_P99_MS && after.latency.refused.count === 0,
    );
  add(
    "offered and sent",
    "the same",
    `${whole(load.offered)}/s and ${whole(load.achieved)}/s; ${whole(load.acceptedPerSecond)}/s accepted, ${whole(shed)} refused (${Object.keys(load.refused).join(", ")})`,
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

export function overloadPage({ at, targetWaitMs, cases }: OverloadResult, machine: string): string {
  const lines = [
    "# Overload",
    "",
    `${at}, ${machine}; one gateway, one worker, ledger, stores and generator all on these cores. Open loop over WebSockets, one order a frame,`,
  ];
  lines.push(
    `latencies from the moment each order was meant to be sent; admission with a target wait of ${targetWaitMs} ms, governor and metrics on.`,
    "",
  );
  for (const one of cases) {
    lines.push(
      `## ${one.name}: the best is ${whole(one.bestPerSecond)} orders/s, offered ${whole(one.load.offered)}/s for ${one.load.seconds} s`,
      "",
    );
    lines.push("| what | aimed at | measured | |", "|---|---|---|---|");
    for (const { what, aim, measured, met } of aims(one, targetWaitMs))
      lines.push(`| ${what} | ${aim} | ${measured} | ${met ? "✓" : "✗"} |`);
    lines.push("", ...details(one.load));
    lines.push(
      "",
      ...Object.entries(one.load.memoryMb).map(([part, mb]) => `- ${part}: ${mb.join(", ")} MB`),
      "",
    );
  }
  return `${lines.join("\n")}\n`;
}

/** What is told of any run beside its aims. */
function details({ latency, cpuMicros, behindMs }: LoadResult): string[] {
  const { accepted, decided, refused } = latency;
  const cpu = Object.entries(cpuMicros).map(([part, micros]) => `${part} ${micros.toFixed(1)}`);
  return [
    `Until the acknowledgement p50 ${whole(accepted.p50)} ms, p99 ${whole(accepted.p99)} ms; until the outcome p50 ${whole(decided.p50)} ms, max ${whole(decided.max)} ms; refused p50 ${refused.p50.toFixed(1)} ms.`,
    `CPU for each order offered, µs: ${cpu.join(", ")}. The generator was ${whole(behindMs)} ms behind its plan at worst.`,
  ];
}

const LATENCY_ROWS = {
  accepted: "until the acknowledgement",
  decided: "until the outcome",
  refused: "until the refusal",
} as const;

export function loadPage(load: LoadOnce, machine: string): string {
  const {
    at,
    offered,
    achieved,
    seconds,
    sockets,
    allReserved,
    workerRate,
    targetWaitMs,
    latency,
  } = load;
  const rows = Object.entries(LATENCY_ROWS).map(([key, what]) => {
    const { count, p50, p99, max } = latency[key as keyof typeof LATENCY_ROWS];
    return `| ${what} | ${whole(count)} | ${p50.toFixed(1)} | ${p99.toFixed(1)} | ${max.toFixed(1)} |`;
  });
  const refused = Object.entries(load.refused).map(([code, n]) => `${whole(n)} ${code}`);
  return `# Load

${at}, ${machine}; one gateway, one worker${workerRate > 0 ? ` (held to ${whole(workerRate)} orders/s)` : ""}, ledger, stores and generator all on these cores. Open loop, ${sockets} WebSockets, one order a frame,
${allReserved ? "all" : "one in ten"} reserved, ${seconds} s; target wait ${whole(targetWaitMs)} ms, governor and metrics on.

Offered ${whole(offered)}/s, sent ${whole(achieved)}/s; accepted ${whole(load.acceptedPerSecond)}/s, decided and recorded ${whole(load.decidedPerSecond)}/s; refused: ${refused.join(", ") || "none"}; without an answer: ${whole(load.unanswered)}, accepted without an outcome: ${whole(load.undecided)}.

| ms from the moment it was to be sent | orders | p50 | p99 | max |
|---|---|---|---|---|
${rows.join("\n")}

${details(load)[1]}
`;
}
