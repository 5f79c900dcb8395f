// `sluice up` as a user runs it, in a folder of its own, and the commands beside it.
import { expect } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { outputOf } from "./output-of.ts";

const ROOT = join(import.meta.dir, "..");
const CLI = join(ROOT, "cli", "cli.ts");
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

/** A command in a folder. */
export function run(
  dir: string,
  args: string[],
  env: Record<string, string> = {},
): Bun.ReadableSubprocess {
  const child = Bun.spawn([process.execPath, CLI, ...args], {
    env: { ...process.env, SLUICE_DATA: dir, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  started.push(child);
  return child;
}

/** Starts it and waits until it prints its addresses or exits. */
export async function up(
  dir: string,
  env: Record<string, string> = {},
  ...flags: string[]
): Promise<Up> {
  const child = run(dir, ["up", ...flags], env);
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

/** Waits until a command prints these words to standard error; returns what it printed. */
export async function printed(
  { stderr }: Bun.ReadableSubprocess,
  ...words: readonly string[]
): Promise<string> {
  const reader = stderr.getReader();
  let text = "";
  while (!words.every((word) => text.includes(word))) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`it ended without '${words.join("', '")}': ${text}`);
    text += new TextDecoder().decode(value);
  }
  reader.releaseLock();
  return text;
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

/** Runs a page's ```sh up blocks as one script beside an `up`; each command must succeed. */
export async function runPage(page: string, dir: string, gateway: string): Promise<string> {
  const text = readFileSync(join(ROOT, page), "utf8");
  const blocks = [...text.matchAll(/^```sh up\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block);
  const script = blocks
    .join("\n")
    .replaceAll("./sluice ", '"$BUN" "$CLI" ')
    .replaceAll(" .sluice/", " $SLUICE_DATA/")
    .replaceAll("http://127.0.0.1:8080", gateway)
    .replaceAll("ws://127.0.0.1:8080", gateway.replace("http", "ws"))
    .replaceAll(/verify --partial(?! --wait)/g, "verify --partial --wait 60");
  const curl = 'curl() { command curl --fail-with-body --max-time 30 "$@"; }';
  const { code, out, err } = await outputOf(["bash", "-c", `set -eu\n${curl}\n${script}`], {
    cwd: ROOT,
    env: { ...process.env, SLUICE_DATA: dir, BUN: process.execPath, CLI },
  });
  expect({ page, code, out, err }).toMatchObject({ code: 0 });
  return out;
}

/** Processes that belong to a data folder. */
export const processesOf = (dir: string): string[] =>
  readdirSync("/proc").filter((pid) => {
    try {
      if (!/^\d+$/.test(pid)) return false;
      const environment = readFileSync(`/proc/${pid}/environ`, "utf8");
      return environment.includes(`${dir}/`) || environment.includes(`SLUICE_DATA=${dir}\0`);
    } catch {
      return false; // it has exited
    }
  });
