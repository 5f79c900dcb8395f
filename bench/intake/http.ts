// Single orders over HTTP with wrk: many connections, many tokens, one order per request.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { Stack } from "../../proof/demo/stack.ts";
import { mintToken, type TokenIssuer } from "../../proof/load/tokens.ts";
import { bodies } from "./orders.ts";
import { type Usage, usageByPart } from "./usage.ts";

export interface HttpResult {
  readonly connections: number;
  readonly acceptedPerSecond: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly refused: number;
  readonly lost: number;
  /** µs of CPU per accepted order. */
  readonly cpuMicros: Readonly<Record<string, number>>;
}

const TOKENS = 20_000;

interface HttpPlan {
  readonly dir: string;
  readonly connections: number;
  readonly seconds: number;
}

/** undefined: wrk is not installed. */
export async function benchHttp({
  stack,
  ...plan
}: HttpPlan & { readonly stack: Stack }): Promise<HttpResult | undefined> {
  const url = stack.gateways[0]?.url ?? "";
  return wrkOrders({ ...plan, url, issuer: stack.issuer, usage: () => usageByPart(stack) });
}

/** The same against any server; `usage` says what its parts have used. */
export async function wrkOrders(
  options: HttpPlan & {
    readonly url: string;
    readonly issuer: TokenIssuer;
    readonly usage: () => ReadonlyMap<string, Usage>;
  },
): Promise<HttpResult | undefined> {
  const { url, usage } = options;
  const wrk = Bun.which("wrk");
  if (!wrk) return undefined;
  const [tokensFile, bodiesFile] = [join(options.dir, "tokens"), join(options.dir, "bodies")];
  const users = Array.from({ length: TOKENS }, (_, i) => `http-${i}`);
  const lines = await Promise.all(
    users.map(async (user) => `${user} ${await mintToken(options.issuer, user)}\n`),
  );
  writeFileSync(tokensFile, lines.join(""));
  writeFileSync(bodiesFile, bodies(false).join("\n"));
  const run = async (seconds: number): Promise<{ text: string; cpuMicros: number }> => {
    const script = join(import.meta.dir, "wrk-orders.lua");
    const flags = [
      "-t1",
      `-c${options.connections}`,
      `-d${seconds}s`,
      "--timeout",
      "20s",
      "-s",
      script,
    ];
    const child = Bun.spawn([wrk, ...flags, url, "--", tokensFile, bodiesFile], {
      stdout: "pipe",
      stderr: "pipe",
    });
    const text = await new Response(child.stdout).text();
    await child.exited;
    return { text, cpuMicros: Number(child.resourceUsage()?.cpuTime.total ?? 0) };
  };
  await run(WARM_UP_S); // so that each token was verified once
  await realRuntime.sleep(DRAIN_MS);
  const before = usage();
  const { text, cpuMicros: load } = await run(options.seconds);
  const after = usage();
  const line = text.split("\n").find((l) => l.startsWith("{"));
  if (!line) throw new Error(`wrk: ${text}`);
  const { requests, seconds, p50, p99, not2xx, lost } = JSON.parse(line) as Record<
    string,
    number
  > & { requests: number; seconds: number };
  const refused = not2xx ?? 0;
  const accepted = requests - refused;
  const cpuMicros: Record<string, number> = { wrk: load / accepted };
  for (const [part, used] of after)
    cpuMicros[part] = (used.cpuMicros - (before.get(part)?.cpuMicros ?? 0)) / accepted;
  const { connections } = options;
  return {
    connections,
    acceptedPerSecond: accepted / seconds,
    seconds,
    p50Ms: p50 ?? 0,
    p99Ms: p99 ?? 0,
    refused,
    lost: lost ?? 0,
    cpuMicros,
  };
}

const WARM_UP_S = 5;
/** Lets the warm-up's orders be decided. */
const DRAIN_MS = 2_000;
