// Simulations in processes of their own: several beside each other, or one on another source tree.
import { join } from "node:path";
import type { Tally } from "./campaign.ts";
import type { Outcome } from "./simulation.ts";

/** What a process says at its end: its tally, without what ran last. */
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

/** Runs seeds in `jobs` processes, each on a part of them. Each ends at its own first violation. */
export async function runJobs(jobs: number, options: ChildOptions): Promise<Tally> {
  const { first, seeds } = options;
  const each = Math.ceil(seeds / jobs);
  const parts = Array.from({ length: jobs }, (_, i) => first + i * each).filter(
    (from) => from < first + seeds,
  );
  const root = join(import.meta.dir, "../..");
  const said = await Promise.all(
    parts.map((from) => {
      const count = Math.min(each, first + seeds - from);
      return runChild(root, { ...options, first: from, seeds: count });
    }),
  );
  return sumOf(said);
}

function sumOf(said: readonly Said[]): Tally {
  const sum = (of: (one: Said) => number) => said.reduce((all, one) => all + of(one), 0);
  return {
    seeds: sum(({ seeds }) => seeds),
    crashes: sum(({ crashes }) => crashes),
    faults: sum(({ faults }) => faults),
    orders: sum(({ orders }) => orders),
    steps: sum(({ steps }) => steps),
    simulatedMs: sum(({ simulatedMs }) => simulatedMs),
    realMs: Math.max(...said.map(({ realMs }) => realMs)),
    failed: said.flatMap(({ failed }) => failed.map((one) => ({ ...one, lines: [] }))),
  };
}
