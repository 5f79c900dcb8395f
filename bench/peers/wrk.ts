// wrk with the standard workload, for Sluice and the peers alike: single orders by many users.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { bodies, USERS } from "../intake/orders.ts";

const SCRIPT = join(import.meta.dir, "..", "intake", "wrk-orders.lua");
const CONNECTIONS = 256;

export interface Answered {
  readonly requests: number;
  readonly seconds: number;
  readonly p99: number;
  readonly not2xx: number;
  readonly lost: number;
  /** CPU of wrk, µs. */
  readonly cpuMicros: number;
}

/** Prepares wrk's files; `tokenOf` makes the bearer token of a user. */
export async function wrkOf(
  dir: string,
  tokenOf: (user: string) => string | Promise<string>,
): Promise<(url: string, seconds: number) => Promise<Answered>> {
  const program = Bun.which("wrk");
  if (!program) throw new Error("wrk is not installed: apt install wrk");
  const [tokens, orders] = [join(dir, "wrk-tokens"), join(dir, "wrk-bodies")];
  const users = Array.from({ length: USERS }, (_, i) => `http-${i}`);
  const lines = await Promise.all(users.map(async (user) => `${user} ${await tokenOf(user)}\n`));
  writeFileSync(tokens, lines.join(""));
  writeFileSync(orders, bodies(false).join("\n"));
  return async (url, seconds) => {
    const flags = ["-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, "--timeout", "20s", "-s", SCRIPT];
    const child = Bun.spawn([program, ...flags, url, "--", tokens, orders], {
      stdout: "pipe",
      stderr: "pipe",
    });
    const text = await new Response(child.stdout).text();
    await child.exited;
    const line = text.split("\n").find((one) => one.startsWith("{"));
    if (!line) throw new Error(`wrk: ${text}`);
    return { ...JSON.parse(line), cpuMicros: Number(child.resourceUsage()?.cpuTime.total ?? 0) };
  };
}
