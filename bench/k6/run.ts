// sluice bench k6: starts a stack, finds k6, and runs one of the scripts in this folder against it.
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { SettingError } from "../../core/settings/settings.ts";
import { mintToken } from "../../proof/load/tokens.ts";
import { type BenchLedger, startOn } from "../bench-ledger.ts";
import { BENCH_SALE, benchSale } from "../intake/orders.ts";
import { usageByPart, usageOf } from "../intake/usage.ts";
import { fewUnits, oversold, type Sold, soldOf, UNITS } from "./few-units.ts";
import { type Growth, GrowthWatch, steadyMemory } from "./growth.ts";

export const SCRIPTS = ["burst", "steady", "websocket", "soak", "sold-out-spike"] as const;
export type Script = (typeof SCRIPTS)[number];

export interface K6Options {
  readonly script: Script;
  readonly dir: string;
  readonly ledger: BenchLedger;
  /** Folder for a k6 that has to be built. */
  readonly tools: string;
  readonly seconds: number;
  readonly rate: number;
  readonly batch: number;
  readonly say: (line: string) => void;
}

export interface K6Result {
  readonly at: string;
  readonly script: Script;
  readonly ledger: string;
  /** 0 if all thresholds held, 99 if one did not. */
  readonly exitCode: number;
  readonly seconds: number;
  /** The worker's limit of orders per second. */
  readonly workerPerSecond?: number;
  readonly requestsPerSecond: number;
  readonly ordersPerRequest: number;
  readonly accepted: number;
  readonly refused: number;
  readonly unanswered: number;
  readonly droppedIterations: number;
  /** CPU seconds of k6. */
  readonly k6CpuSeconds: number;
  /** Soak only: memory of gateway and worker; the run fails if it grew. */
  readonly growth?: Readonly<Record<string, Growth>>;
  /** Sold-out spike only; the run fails if a unit was sold twice. */
  readonly sold?: Sold;
  /** k6's own summary of each metric. */
  readonly metrics: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/**
 * The worker's limit for the burst, orders per second: low, because k6 must offer several times as
 * much while sharing two cores with everything else.
 */
const HELD = 5_000;
/** Scripts whose requests carry one order each. */
const SINGLE: readonly Script[] = ["websocket", "soak", "sold-out-spike"];

export async function benchK6(options: K6Options): Promise<K6Result> {
  const { script, dir, seconds, rate, batch, say } = options;
  const k6 = await findK6(options.tools, say);
  mkdirSync(dir, { recursive: true });
  const held = script === "burst" ? HELD : undefined;
  const env = {
    SLUICE_SOLD_OUT_AT_GATE: script === "sold-out-spike" ? "yes" : "no",
    SLUICE_USER_RATE: "100",
    SLUICE_WORKER_RATE: String(held ?? 0),
  };
  const roles = { dir: join(dir, "stack"), workers: 1, gateways: 1, say, env };
  const stack = await startOn(options.ledger, roles);
  try {
    const spike = script === "sold-out-spike";
    await stack.createSale(spike ? fewUnits(Date.now()) : benchSale(Date.now()));
    const summary = join(dir, "summary.json");
    const { command, env } = k6Command(k6, join(import.meta.dir, `${script}.ts`), summary, {
      SLUICE_K6_URL: stack.gateways[0]?.url ?? "",
      SLUICE_K6_TOKEN: await mintToken(stack.issuer, "k6", "service"),
      SLUICE_K6_SALE: BENCH_SALE,
      SLUICE_K6_SECONDS: String(seconds),
      SLUICE_K6_RATE: String(rate),
      SLUICE_K6_BATCH: String(batch),
      SLUICE_K6_UNITS: String(UNITS),
      K6_NO_USAGE_REPORT: "true",
    });
    const child = Bun.spawn(command, {
      env: { ...process.env, ...env },
      stdout: "inherit",
      stderr: "inherit",
    });
    let cpuMicros = 0;
    const memory = new GrowthWatch();
    const watch = setInterval(() => {
      cpuMicros = Math.max(cpuMicros, usageOf(child.pid).cpuMicros);
      if (script === "soak") memory.look(usageByPart(stack));
    }, 500);
    const exitCode = await child.exited;
    clearInterval(watch);
    const { metrics } = JSON.parse(readFileSync(summary, "utf8")) as Pick<K6Result, "metrics">;
    const of = (metric: string, what: string) => Number(metrics[metric]?.[what] ?? 0);
    return {
      at: new Date().toISOString(),
      script,
      ledger: options.ledger.name,
      exitCode,
      seconds,
      ...(held === undefined ? {} : { workerPerSecond: held }),
      requestsPerSecond: of("http_reqs", "rate"),
      ordersPerRequest: SINGLE.includes(script) ? 1 : batch,
      accepted: of("orders_accepted", "count"),
      refused: of("orders_refused", "count"),
      unanswered: of("orders_unanswered", "count"),
      droppedIterations: of("dropped_iterations", "count"),
      k6CpuSeconds: cpuMicros / 1e6,
      ...(script === "soak" ? { growth: memory.growths() } : {}),
      ...(spike ? { sold: await soldOf(stack.ledgerUrl) } : {}),
      metrics,
    };
  } finally {
    await stack.stop();
  }
}

export type K6 =
  | { readonly kind: "binary"; readonly path: string }
  | { readonly kind: "docker"; readonly path: string };

const IMAGE = "grafana/k6";

/**
 * The command that runs a script and writes its summary to `summary`. A container mounts the
 * folders of both and reaches the gateway through the host's network (Linux).
 */
export function k6Command(
  k6: K6,
  script: string,
  summary: string,
  env: Readonly<Record<string, string>>,
): { command: string[]; env: Readonly<Record<string, string>> } {
  const run = (summaryPath: string, scriptPath: string) => [
    "run",
    "--quiet",
    "--summary-export",
    summaryPath,
    scriptPath,
  ];
  if (k6.kind === "binary") return { command: [k6.path, ...run(summary, script)], env };
  const mounts = [
    "--volume",
    `${dirname(script)}:/scripts:ro`,
    "--volume",
    `${dirname(summary)}:/out`,
  ];
  const names = Object.keys(env).flatMap((name) => ["--env", name]);
  const container = [
    "run",
    "--rm",
    "--network",
    "host",
    "--user",
    `${process.getuid?.() ?? 0}`,
    ...mounts,
    ...names,
    IMAGE,
  ];
  return {
    command: [
      k6.path,
      ...container,
      ...run(`/out/${basename(summary)}`, `/scripts/${basename(script)}`),
    ],
    env,
  };
}

/** From the PATH, an earlier build, a new build with Go, or a container. */
async function findK6(tools: string, say: (line: string) => void): Promise<K6> {
  const built = join(tools, "k6");
  const found = Bun.which("k6") ?? (existsSync(built) ? built : undefined);
  if (found) return { kind: "binary", path: found };
  const go = Bun.which("go");
  if (go && (await buildK6(go, tools, say))) return { kind: "binary", path: built };
  const docker = Bun.which("docker");
  if (docker) {
    say(`k6 is missing: running it in a container (${IMAGE}), where its own CPU time is unknown`);
    return { kind: "docker", path: docker };
  }
  throw new SettingError("k6, Go and Docker are all missing: put one of them on the PATH");
}

async function buildK6(go: string, tools: string, say: (line: string) => void): Promise<boolean> {
  mkdirSync(tools, { recursive: true });
  for (const source of ["go.k6.io/k6/v2@latest", "go.k6.io/k6@latest"]) {
    say(`k6 is missing: building it with Go (${source}); this takes some minutes, but only once`);
    const child = Bun.spawn([go, "install", source], {
      env: { ...process.env, GOBIN: tools },
      stdout: "ignore",
      stderr: "pipe",
    });
    const errors = await new Response(child.stderr).text();
    if ((await child.exited) === 0) return true;
    say(errors.trim().split("\n").slice(-2).join("\n"));
  }
  return false;
}

export function k6Page(result: K6Result, machine: string): string {
  const {
    script,
    seconds,
    requestsPerSecond,
    ordersPerRequest,
    accepted,
    refused,
    unanswered,
    droppedIterations,
    k6CpuSeconds,
  } = result;
  const offered =
    script === "websocket"
      ? "over 100 sockets, one order per frame"
      : `${Math.round(requestsPerSecond)} requests per second with ${ordersPerRequest} orders each`;
  const limited = result.workerPerSecond
    ? `; the worker is limited to ${result.workerPerSecond.toLocaleString("en")} orders per ` +
      "second,\nso that k6 can offer more than its capacity"
    : "";
  const trends = Object.entries(result.metrics).flatMap(([name, m]) =>
    "p(99)" in m
      ? [
          `| ${name} | ${number(m.med)} | ${number(m["p(95)"])} | ` +
            `${number(m["p(99)"])} | ${number(m.max)} |`,
        ]
      : [],
  );
  return `# k6: ${script}

${result.at}, ${machine}; gateway, worker, stores and k6 on these cores.
Ledger: ${result.ledger}. ${seconds} s, ${offered}${limited}.

${accepted.toLocaleString("en")} orders accepted
(${Math.round(accepted / seconds).toLocaleString("en")} per second),
${refused.toLocaleString("en")} refused, ${unanswered} unanswered,
${droppedIterations} iterations dropped. k6 itself took ${k6CpuSeconds.toFixed(1)} s of CPU.
Thresholds: ${result.exitCode === 0 ? "all held" : "not all held"}.
${[...growthLines(result), ...soldLines(result)].join("\n")}

| ms | p50 | p95 | p99 | max |
|---|---|---|---|---|
${trends.join("\n")}
`;
}

/** Whether k6's thresholds held, and what is checked beside them. */
export function passed({ exitCode, growth, seconds, sold }: K6Result): boolean {
  const steady = growth === undefined || steadyMemory(growth, seconds) !== false;
  return exitCode === 0 && steady && !(sold && oversold(sold));
}

function growthLines({ growth, seconds }: K6Result): string[] {
  if (!growth) return [];
  const each = Object.entries(growth).map(
    ([part, { mb, ratio }]) => `${part} ${ratio.toFixed(2)} (${mb[0]} to ${mb.at(-1)} MB)`,
  );
  const verdict = { true: "steady", false: "**growing**", undefined: "too short to judge" };
  const steady = verdict[`${steadyMemory(growth, seconds)}`];
  return [`Memory, last third over first: ${each.join(", ")}; ${steady}.`];
}

function soldLines({ sold }: K6Result): string[] {
  if (!sold) return [];
  const verdict = oversold(sold) ? "**oversold**" : "nothing oversold";
  return [
    `In the ledger: ${sold.units} units, ` +
      `${sold.taken} taken by ${sold.reserved} orders; ${verdict}.`,
  ];
}

function number(value: unknown): string {
  return typeof value === "number" ? value.toFixed(1) : "";
}
