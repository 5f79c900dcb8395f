// `sluice up` as a user runs it, in a folder of its own, and the commands beside it.
import { expect } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const CLI = join(import.meta.dir, "..", "cli", "cli.ts");
const GATEWAY_LINE = / {2}(eu|us) +(http:\S+)/g;

export interface Up {
  readonly process: Bun.ReadableSubprocess;
  /** Region → address. */
  readonly gateways: Record<string, string>;
  /** Everything it printed until it was up or exited. */
  readonly said: string;
}

const started: Bun.ReadableSubprocess[] = [];

/** Ends what a failed test has left: SIGTERM, so that they stop their own children. */
export async function endUps(): Promise<void> {
  const left = started.splice(0);
  for (const child of left) child.kill("SIGTERM");
}

const run = (dir: string, args: string[], env: Record<string, string> = {}) =>
  Bun.spawn([process.execPath, CLI, ...args], {
    env: { ...process.env, SLUICE_DATA: dir, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });

/** Starts it and waits until it prints its addresses or exits. */
export async function up(
  dir: string,
  env: Record<string, string> = {},
  ...flags: string[]
): Promise<Up> {
  const child = run(dir, ["up", ...flags], env);
  started.push(child);
  const reader = child.stderr.getReader();
  let said = "";
  while (!said.includes("Ctrl-C stops everything")) {
    const { value, done } = await reader.read();
    if (done) break;
    said += new TextDecoder().decode(value);
  }
  reader.releaseLock();
  return {
    process: child,
    said,
    gateways: Object.fromEntries(
      [...said.matchAll(GATEWAY_LINE)].map(([, name, url]) => [name, url]),
    ),
  };
}

/** What a command prints; it must succeed. */
export async function told(dir: string, ...args: string[]): Promise<string> {
  const child = run(dir, args);
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  expect({ code, out, err }).toMatchObject({ code: 0 });
  return out.trim();
}

/** Processes that belong to a data folder. */
export const processesOf = (dir: string): string[] =>
  readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, "utf8").includes(`${dir}/`);
    } catch {
      return false; // it has exited
    }
  });
