// Seeds in several processes at once, each with a redis-server of its own. The parent names one
// seed at a time, so it knows which ones have run, and each job runs what it names.
//
// 1. A job is in a process group of its own: Ctrl-C reaches the parent alone, which then names no
//    further seed.
// 2. A job ends with its channel to the parent, however the parent ended.
import { join } from "node:path";
import { messageOf } from "../../core/domain/message-of.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { RunSeed } from "./campaign.ts";
import type { Kept } from "./kept.ts";
import type { Outcome } from "./simulation.ts";

/** What a job answers. */
type Said = { readonly outcome: Outcome } | { readonly error: string };

export interface Job {
  readonly run: RunSeed;
  /** Ends it, whatever it is doing. */
  end(): Promise<void>;
}

const CLI = join(import.meta.dir, "../../cli/cli.ts");
/** A job that has not ended by then is killed; its seed takes seconds at most. */
const END_MS = 20_000;

/** `args`: options that each job needs too. */
export function startJob(args: readonly string[] = []): Job {
  let asked: PromiseWithResolvers<Outcome> | undefined;
  const settle = (said: Said) => {
    if ("outcome" in said) asked?.resolve(said.outcome);
    else asked?.reject(new Error(said.error));
    asked = undefined;
  };
  const child = Bun.spawn([process.execPath, CLI, "simulate", "--job", ...args], {
    ...{ stdin: "ignore", stdout: "ignore", stderr: "inherit", detached: true }, // 1
    ipc: (said: Said) => settle(said),
    onExit: (_, code) => settle({ error: `a job has ended with code ${code}` }),
  });
  const end = async () => {
    const late = realRuntime.startTimer(() => child.kill("SIGKILL"), END_MS);
    if (child.exitCode === null && child.signalCode === null) child.disconnect();
    await child.exited;
    realRuntime.stopTimer(late);
  };
  const run = (kept: Kept) => {
    if (child.exitCode !== null) return Promise.reject(new Error("a job has ended"));
    asked = Promise.withResolvers<Outcome>();
    child.send(kept);
    return asked.promise;
  };
  return { run, end };
}

/** The job's side: runs each seed that its parent names, until the parent is gone (2). */
export async function serveJob(run: RunSeed): Promise<void> {
  const over = Promise.withResolvers<void>();
  process.on("disconnect", over.resolve);
  process.on("message", (kept: Kept) => {
    const say = (said: Said) => void process.send?.(said);
    run(kept).then(
      (outcome) => say({ outcome }),
      (error: unknown) => say({ error: `seed ${kept.seed}: ${messageOf(error)}` }),
    );
  });
  await over.promise;
}
