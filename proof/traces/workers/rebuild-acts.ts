// Rebuilds: the worker that has seen a loss rebuilds Redis, in the steps of the specification.
import type { Flaw } from "../call.ts";
import { SHARDS } from "../stores.ts";
import { rebuildOf, shardIn } from "../world-state.ts";
import type { Acts } from "./acts.ts";
import type { Follower, Step } from "./follower.ts";
import type { HeldCall } from "./gate.ts";

/** Real time between two rebuilds, which grows. */
const REST_MS = 700;
const MAX_REST_MS = 40_000;

/**
 * A real worker may rightly do something else, so the walk ends here: a shard that was lost while
 * it was loaded had been empty, so Redis was not asked; or the worker rests between two rebuilds.
 */
export class Parted extends Error {}

export function rebuildActs(follower: Follower): Acts {
  const rebuilds = new Rebuilds(follower);
  return {
    begin: (step) => rebuilds.begin(step),
    reset: (step) => rebuilds.reset(step),
    load: (step) => rebuilds.load(step),
    ready: (step) => rebuilds.ready(step),
  };
}

class Rebuilds {
  private made = 0;
  /** A part was empty when it was loaded, so its loss changes nothing. */
  private unasked = false;

  constructor(private readonly follower: Follower) {}

  async begin({ args: [worker = ""], after }: Step): Promise<Flaw> {
    const { follower } = this;
    const { stage } = follower;
    const call = await follower.call(worker, "repair");
    if (!call) return "the worker does not think of a rebuild";
    if (this.made > 0) await stage.until(() => false, Math.min(MAX_REST_MS, this.restMs()));
    await follower.pass(call);
    const begins = rebuildOf(after, Number(worker)).inc > 0;
    const begun = begins ? await follower.call(worker, "beginRebuild") : undefined;
    if (!begins) return this.idle(worker);
    if (!begun && this.made > 0) throw new Parted();
    if (!begun) return "the worker begins no rebuild";
    this.made++;
    this.unasked = false;
    follower.seat(worker).rebuildEnded = undefined;
    await follower.pass(begun);
    return undefined;
  }

  async reset({ args: [worker = ""], before }: Step): Promise<Flaw> {
    const shard = rebuildOf(before, Number(worker)).resets[0] as number;
    const call = await this.follower.call(worker, "reset", shard);
    if (!call) return "the worker does not reset the shard";
    await this.follower.pass(call);
    return undefined;
  }

  /** All is cleared before the stock is loaded, and then the shards. */
  async load({ args: [worker = ""], before, after }: Step): Promise<Flaw> {
    const part = rebuildOf(before, Number(worker)).loads[0] as number;
    let passed = 0;
    for (;;) {
      const next = await this.next(worker);
      if (!next || !belongsTo(next, part)) break;
      await this.follower.pass(next);
      passed++;
    }
    if (passed === 0) this.unasked = true;
    const goesOn = rebuildOf(after, Number(worker)).inc > 0;
    const went = this.follower.seat(worker).rebuildEnded === undefined;
    if (goesOn === went) return undefined;
    if (passed === 0 && went) throw new Parted();
    return went ? "the rebuild went on" : "the rebuild ended";
  }

  async ready({ args: [worker = ""], after }: Step): Promise<Flaw> {
    const call = await this.follower.call(worker, "ready");
    if (!call) return "the worker does not open Redis";
    await this.follower.pass(call);
    const opened = SHARDS.every((sh) => shardIn(after, sh).state === "open");
    const seat = this.follower.seat(worker);
    await this.follower.stage.until(() => seat.rebuildEnded !== undefined);
    const open = seat.rebuildEnded === "redis rebuilt";
    if (open && !opened && this.unasked) throw new Parted();
    return open === opened ? undefined : `the rebuild ended with '${seat.rebuildEnded}'`;
  }

  /** The rebuild's next call to Redis; undefined: it has ended. */
  private async next(worker: string): Promise<HeldCall | undefined> {
    const { follower } = this;
    const found = () =>
      ["scan", "restore", "ready"].flatMap((what) => follower.held(worker, what))[0];
    const ended = () => follower.seat(worker).rebuildEnded !== undefined;
    await follower.stage.until(() => found() !== undefined || ended());
    return found();
  }

  private async idle(worker: string): Promise<Flaw> {
    return (await this.follower.rebuilds(worker)) ? "the worker begins a rebuild" : undefined;
  }

  private restMs(): number {
    return REST_MS * 2 ** (this.made - 1);
  }
}

/** Whether a call of a rebuild loads this part; -1 is the stock, and whatever is cleared before. */
function belongsTo({ what, shard, args }: HeldCall, part: number): boolean {
  if (what === "ready") return false;
  if (what === "scan") return part < 0;
  const [, counter, step] = args;
  if (step === "clear" || counter === "loaded_stock") return part < 0;
  return shard === part;
}
