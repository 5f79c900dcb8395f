// Lets real workers take the steps of a trace, one after the other. What starts a step is let
// through or brought about: a call at the gate, a delivery, a crash, a loss. Then the scheduler
// runs until the worker has done its part. Everything else stands still: its calls wait at the
// gate.
//
// After each step Redis, the ledger, the queues and the owners must be as the specification says.
import type { LedgerImage } from "../../../ledger/in-memory.ts";
import { REGIONS } from "../../simulate/system.ts";
import type { RedisCopy } from "../../simulate/world/redis.ts";
import type { Flaw } from "../call.ts";
import { difference, projectedSpec, projectedStores } from "../projected.ts";
import { SHARDS } from "../stores.ts";
import { type SpecState, sessionOf } from "../world-state.ts";
import { type Acts, makeActs } from "./acts.ts";
import type { HeldCall } from "./gate.ts";
import { impossible } from "./impossible.ts";
import type { Seat } from "./seat.ts";
import {
  allOpen,
  channelsOf,
  endedSessions,
  headOf,
  lostRegion,
  more,
  projectedWorld,
  staleOf,
  WORKERS,
  wantedBy,
} from "./seen.ts";
import type { Stage } from "./stage.ts";
import { WorkerNames } from "./worker-names.ts";

/** A step of a trace. */
export interface Step {
  readonly label: string;
  readonly name: string;
  readonly args: readonly string[];
  readonly before: SpecState;
  readonly after: SpecState;
}

export function stepOf(label: string, before: SpecState, after: SpecState): Step {
  const [, name = "", args = ""] = /^(\w+)\((.*)\)$/.exec(label) ?? [];
  const list = args.split(",").map((arg) => arg.replaceAll('"', ""));
  return { label, name: name || label, args: list, before, after };
}

/** What must come next, because a worker does it in one go with the last step. */
export interface Forced {
  /** An action of the specification and its arguments. */
  readonly name: string;
  readonly args: readonly (number | boolean | string)[];
  /** Which of its outcomes; absent: any. */
  readonly so?: (after: SpecState) => boolean;
}

/** An entry of a commit whose step is still to come. */
export interface Committed {
  readonly worker: number;
  readonly shard: number;
  readonly id: number;
}

/** Calls that end with the ownership of their shard. */
const OWNERS_CALLS = ["own", "check", "decide", "unpark", "recorded", "outbox", "followUps"];
const HALT_MS = 5_000;
const PATIENCE_MS = 1_500;
const LOOK_MS = 10;
/** A worker's looks before a rebuild are a dozen calls. */
const LOOKED_MS = 80;

export class Follower {
  readonly names: WorkerNames;
  readonly kinds = new Map<string, number>();
  /** Entries that the last commit has recorded with the step's own. */
  committed: Committed[] = [];
  /** `worker entry` of what the ledger has answered: its recorder does not repeat it. */
  readonly answered = new Set<string>();
  /** Follow-ups that the last look has published with the step's own. */
  published: string[] = [];
  /** By tag: the text of each copy. */
  readonly texts = new Map<number, string>();
  /** By the specification's time: when that was. */
  readonly times = new Map<number, number>();
  backup: LedgerImage | undefined;
  pasts: RedisCopy[] = [];
  private readonly acts: Acts;

  constructor(readonly stage: Stage) {
    this.names = new WorkerNames(stage);
    this.acts = makeActs(this);
  }

  /** Compares the beginning. */
  async begins(state: SpecState): Promise<Flaw> {
    await this.names.learnEpochs(this.stage, state);
    return this.differs(state);
  }

  /** Why a worker cannot take this step here; undefined: it can. */
  impossible(step: Step): string | undefined {
    return impossible(this, step);
  }

  /** Takes the step, and returns how the workers differ from what it says. */
  async take(step: Step): Promise<Flaw> {
    const { before, after, name } = step;
    this.kinds.set(name, (this.kinds.get(name) ?? 0) + 1);
    const changes = after.past !== before.past;
    const copy = changes ? await this.stage.world.parts.redis.copy() : undefined;
    this.stage.wentBack = more(before).wentBack && !before.halted;
    const act = this.acts[name];
    const flaw = act ? await act(step) : `no worker takes the step ${step.label}`;
    if (flaw) return flaw;
    if (copy && name !== "losesTail" && name !== "losesAll") this.keep(copy, after.past.length);
    this.stage.wentBack = more(after).wentBack && !after.halted;
    if (after.halted && !before.halted && !(await this.allHalt())) return "not every worker halts";
    return this.settle(before, after);
  }

  /** What must come next, in the state that the last step has led to. */
  forced(state: SpecState): Forced | undefined {
    const [next] = this.committed;
    if (next) {
      const name = recordingOf(next, state);
      if (name) return name;
      this.committed = [];
    }
    const [request] = this.published;
    if (request !== undefined)
      return { name: "relay", args: [true], so: publishes(request, state) };
    for (const worker of WORKERS) {
      const stale = staleOf(state, worker)[0]?.entry.id ?? 0;
      if (stale < 0 || this.answered.has(`${worker} ${stale}`))
        return { name: "recordStale", args: [worker] };
      for (const sh of SHARDS) {
        const next = forcedOf(state, worker, sh);
        if (next) return next;
      }
    }
    return undefined;
  }

  /** Owners and queues may need a moment; the stores are as they are. */
  async differs(state: SpecState): Promise<Flaw> {
    const endMs = this.stage.scheduler.nowMs() + PATIENCE_MS;
    for (;;) {
      const flaw = difference(projectedWorld(state), this.world());
      if (!flaw) break;
      if (this.stage.scheduler.nowMs() > endMs) return flaw;
      await this.stage.until(() => false, LOOK_MS);
    }
    return difference(projectedSpec(state), await projectedStores(this.stage.looked, this.names));
  }

  seat(worker: string | number): Seat {
    return this.stage.seats[Number(worker)] as Seat;
  }

  /** The first such call of a worker, once it waits; undefined: it does not come. */
  async call(worker: string | number, what: string, sh?: number): Promise<HeldCall | undefined> {
    const held = () => this.held(worker, what, sh)[0];
    await this.stage.until(() => held() !== undefined);
    return held();
  }

  held(worker: string | number, what: string, sh?: number): readonly HeldCall[] {
    return this.stage.gate.held(this.seat(worker).name, what, sh);
  }

  /** Lets a call through, and what follows from it happen. Returns the store's answer. */
  async pass(call: HeldCall, lost?: Error): Promise<unknown> {
    let answer: unknown;
    let answered = false;
    void this.stage.gate.pass(call, lost).then((value) => {
      answer = value;
      answered = true;
    });
    await this.stage.until(() => answered);
    await this.stage.settle();
    return answer;
  }

  private async settle(before: SpecState, after: SpecState): Promise<Flaw> {
    for (const { worker, sh } of endedSessions(before, after)) {
      const seat = this.seat(worker);
      await this.stage.until(() => !seat.shards.includes(sh));
      for (const what of OWNERS_CALLS)
        for (const call of this.held(worker, what, sh))
          this.stage.gate.fail(call, new Error("the shard was released"));
    }
    for (const worker of WORKERS) this.seat(worker).wanted = wantedBy(after, worker);
    await this.stage.settle();
    return this.leaveRebuilds(after);
  }

  /**
   * A worker that saw a loss, and finds that Redis was rebuilt since, continues. One that Redis
   * refused waits until it is open: without announcements it would rebuild it a second time.
   */
  private async leaveRebuilds(after: SpecState): Promise<Flaw> {
    if (after.trouble >= after.ledger.inc && !after.halted) return undefined;
    for (const worker of WORKERS) {
      const refused = this.seat(worker).released.startsWith("not_ready");
      if (refused && !allOpen(after) && !after.halted) continue;
      for (const call of this.held(worker, "repair")) {
        await this.pass(call);
        if (await this.rebuilds(worker))
          return `worker ${worker} begins a rebuild that nothing needs`;
      }
    }
    return undefined;
  }

  /** Whether a worker that has looked begins a rebuild. */
  rebuilds(worker: string | number): Promise<boolean> {
    const begins = () => this.held(worker, "beginRebuild").length > 0;
    return this.stage.until(begins, LOOKED_MS);
  }

  private allHalt(): Promise<boolean> {
    const { seats } = this.stage;
    const is = () => seats.every((seat) => seat.halted && seat.shards.length === 0);
    for (const seat of seats) seat.wanted = new Set();
    return this.stage.until(is, HALT_MS);
  }

  private keep(copy: RedisCopy, most: number): void {
    this.pasts.push(copy);
    this.pasts.splice(0, this.pasts.length - most);
  }

  private world(): Map<string, string> {
    const all = new Map<string, string>();
    for (const worker of WORKERS) {
      const shards = [...this.seat(worker).shards].sort();
      all.set(`worker ${worker} owns`, shards.join(" "));
    }
    for (const region of REGIONS)
      for (const sh of SHARDS) {
        const { messages, consumers } = this.stage.queue(region, sh);
        const name = ({ content }: { readonly content: Buffer }) =>
          this.names.messageName(content.toString());
        all.set(`queue ${region} ${sh}`, messages.map(name).join(" "));
        const held = consumers.flatMap((consumer) => [...consumer.held].map(name)).sort();
        all.set(`in flight ${region} ${sh}`, held.join(" "));
      }
    return all;
  }
}

/** What an owner does at once. */
function forcedOf(state: SpecState, worker: number, sh: number): Forced | undefined {
  const x = sessionOf(state, worker, sh);
  if ((headOf(x)?.id ?? 0) < 0) return { name: "record", args: [worker, sh] };
  const region = lostRegion(state, worker, sh);
  if (region !== undefined) return { name: "resubscribe", args: [worker, sh, region] };
  const done = x.hand.length === 0 && x.pending.length === 0;
  return channelsOf(x).quiet && done ? { name: "close", args: [worker, sh] } : undefined;
}

/** The step by which the specification records this entry. */
function recordingOf({ worker, shard, id }: Committed, state: SpecState): Forced | undefined {
  const x = sessionOf(state, worker, shard);
  if (x.pc === "checked") return { name: "catchUp", args: [worker, shard] };
  if (headOf(x)?.id === id) return { name: "record", args: [worker, shard] };
  if (staleOf(state, worker)[0]?.entry.id === id) return { name: "recordStale", args: [worker] };
  return undefined;
}

/** Whether the request is not to be published any more. */
function publishes(request: string, before: SpecState): (after: SpecState) => boolean {
  const { size } = before.ledger.requests.byKey;
  return (after) =>
    after.ledger.requests.byKey.size < size &&
    ![...after.ledger.requests.byKey.values()].some(
      (one) =>
        `${(one as { order: string }).order}/${(one as { attempt: number }).attempt}` === request,
    );
}
