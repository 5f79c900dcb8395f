// Simulations in a process of their own, on another source tree.
import { join } from "node:path";
import type { Tally } from "./campaign.ts";
import type { Outcome } from "./simulation.ts";

/** What a process reports at its end: its tally, without the last lines of the trace. */
export type Said = Omit<Tally, "failed"> & { readonly failed: readonly Omit<Outcome, "lines">[] };

export interface ChildOptions {
  readonly first: number;
  readonly seeds: number;
  readonly scenario?: string;
  readonly forSeconds?: number;
}

/** Runs seeds in a process on the source tree in `root`. Throws if it has no result. */
export async function runChild(root: string, options: ChildOptions): Promise<Said> {
  const { first, seeds, scenario, forSeconds } = options;
  const args = ["--from", `${first}`, "--seeds", `${seeds}`];
  if (scenario !== undefined) args.push("--scenario", scenario);
  if (forSeconds !== undefined) args.push("--for", `${forSeconds}`);
  const command = [process.execPath, join(root, "cli/cli.ts"), "simulate", "--json", "--no-shrink"];
  const child = Bun.spawn([...command, ...args], { cwd: root, stderr: "pipe" });
  const [text, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  await child.exited;
  const line = text.trimEnd().split("\n").at(-1) ?? "";
  if (!line.startsWith("{")) throw new Error(`no result: ${errors.slice(-2_000)}`);
  return JSON.parse(line) as Said;
}
