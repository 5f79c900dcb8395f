// Owners: a worker takes a shard, decides, records, and tells Redis.
import type { EntryToRecord } from "../../../ledger/contract.ts";
import { LedgerUnavailable } from "../../../ledger/db.ts";
import type { Flaw } from "../call.ts";
import { sessionOf, shardIn } from "../world-state.ts";
import type { Acts } from "./acts.ts";
import type { Follower, Step } from "./follower.ts";
import type { HeldCall } from "./gate.ts";
import { headOf, staleOf } from "./seen.ts";

/** A worker rests between two rebuilds, and takes no shard meanwhile. */
const TAKE_MS = 45_000;
/** A gap's clock needs two sweeps; a heartbeat later, and one more. */
const SWEEPS = 5;

export function ownerActs(follower: Follower): Acts {
  const owners = new Owners(follower);
  return {
    take: (step) => owners.take(step),
    own: (step) => owners.asks(step, "own"),
    check: (step) => owners.asks(step, "check"),
    catchUp: (step) => owners.catchUp(step),
    deliver: (step) => owners.deliver(step),
    decide: (step) => owners.decide(step),
    record: (step) => owners.record(step),
    recordInDoubt: (step) => owners.recordInDoubt(step),
    recordStale: (step) => owners.recordStale(step),
    mark: (step) => owners.mark(step),
    look: async () => undefined, // a sweep looks, see `unpark`
    unpark: (step) => owners.unpark(step),
  };
}

const placeOf = ({ args: [worker, sh] }: Step) => [Number(worker), Number(sh)] as const;

class Owners {
  constructor(private readonly follower: Follower) {}

  async take(step: Step): Promise<Flaw> {
    const { follower } = this;
    const [worker, sh] = placeOf(step);
    const seat = follower.seat(worker);
    seat.wanted = new Set([...seat.wanted, sh]);
    const held = () => follower.held(worker, "takeShard", sh)[0];
    await follower.stage.until(() => held() !== undefined, TAKE_MS);
    const call = held();
    if (!call) return "the worker does not take the shard";
    await follower.pass(call);
    return (await follower.call(worker, "own", sh)) ? undefined : "it does not go on to own it";
  }

  /** A call to Redis that the worker makes by itself. */
  async asks(step: Step, what: string): Promise<Flaw> {
    const [worker, sh] = placeOf(step);
    const call = await this.follower.call(worker, what, sh);
    if (!call) return `the worker does not ask Redis: ${what}`;
    await this.follower.pass(call);
    return undefined;
  }

  async catchUp(step: Step): Promise<Flaw> {
    const { follower } = this;
    const [worker, sh] = placeOf(step);
    if (follower.committed.length > 0) return this.already(worker, sh);
    const read = await follower.call(worker, "outbox", sh);
    if (!read) return "the worker does not read the outbox";
    await follower.pass(read);
    const rest = shardIn(step.before, sh).outbox.filter(
      ({ n }) => n > sessionOf(step.before, worker, sh).lastN,
    );
    const [first] = rest;
    if (!first) return undefined; // it runs now, which is compared
    return this.commit(worker, sh, first.id);
  }

  async deliver({ args: [, sh, region = ""] }: Step): Promise<Flaw> {
    const { stage } = this.follower;
    const queue = stage.queue(region, Number(sh));
    await stage.until(() => queue.consumers.some(({ cancelled }) => !cancelled));
    if (!queue.allowOne()) return "no consumer takes the message";
    await stage.settle();
    return undefined;
  }

  async decide(step: Step): Promise<Flaw> {
    const { follower } = this;
    const [worker, sh] = placeOf(step);
    const call = await follower.call(worker, "decide", sh);
    if (!call) return "the worker decides nothing";
    const [, , entryId, , , , ...rest] = call.args as string[];
    const bodies = rest.slice(0, -2).filter((_, i) => i % 3 === 2);
    const wanted = sessionOf(step.before, worker, sh).hand[0]?.copy as { tag?: number } | undefined;
    if (bodies.length !== 1 || bodies[0] !== follower.texts.get(wanted?.tag ?? 0))
      return `it decides ${bodies.map((body) => follower.names.messageName(body))}`;
    await follower.pass(call);
    this.learn(step, sh, entryId);
    return undefined;
  }

  async unpark(step: Step): Promise<Flaw> {
    const { follower } = this;
    const [worker, sh] = placeOf(step);
    const seat = follower.seat(worker);
    const before = await this.tipOf(sh);
    seat.sweepsGaps = true;
    try {
      for (let sweep = 0; sweep < SWEEPS; sweep++) {
        const check = await follower.call(worker, "check", sh);
        if (!check) return "the worker does not check Redis";
        await follower.pass(check);
        const call = await follower.call(worker, "unpark", sh);
        if (!call) return "the worker gives up no gap";
        await follower.pass(call);
        this.learn(step, sh, String(call.args[2]));
        if ((await this.tipOf(sh)) !== before) return undefined;
        if (step.after.redis === step.before.redis) return undefined;
      }
      return "the worker does not give up the gap yet";
    } finally {
      seat.sweepsGaps = false;
    }
  }

  async record(step: Step): Promise<Flaw> {
    const [worker, sh] = placeOf(step);
    if (this.follower.committed.length > 0) return this.already(worker, sh);
    const entry = headOf(sessionOf(step.before, worker, sh));
    if (!entry || entry.id < 0) return undefined; // nothing to record
    return this.commit(worker, sh, entry.id);
  }

  async recordInDoubt(step: Step): Promise<Flaw> {
    const [worker, sh] = placeOf(step);
    const id = headOf(sessionOf(step.before, worker, sh))?.id ?? 0;
    return this.commit(worker, sh, id, new LedgerUnavailable("the answer is lost"));
  }

  async recordStale({ args: [worker = ""], before }: Step): Promise<Flaw> {
    const { follower } = this;
    const first = staleOf(before, Number(worker))[0];
    if (follower.committed.length > 0) return this.already(Number(worker), first?.sh ?? -1);
    const id = first?.entry.id ?? -1;
    if (!first || id < 0 || follower.answered.has(`${worker} ${id}`)) return undefined;
    return this.commit(Number(worker), first.sh, id);
  }

  async mark(step: Step): Promise<Flaw> {
    const { follower } = this;
    const [worker, sh] = placeOf(step);
    const { last } = sessionOf(step.before, worker, sh);
    const calls = () => follower.held(worker, "recorded", sh);
    const told = () => follower.names.idOf(String(calls().at(-1)?.args[1]));
    await follower.stage.until(() => told() === last);
    if (told() !== last) return `it tells Redis of ${told()} and not of ${last}`;
    for (const call of calls()) await follower.pass(call);
    return undefined;
  }

  /** One commit of the worker, which may hold more entries than this one. */
  private async commit(worker: number, sh: number, id: number, lost?: Error): Promise<Flaw> {
    const { follower } = this;
    const call = await follower.call(worker, "record");
    if (!call) return "the worker records nothing";
    const ids = this.idsOf(call);
    const entries = call.args[0] as readonly EntryToRecord[];
    if (ids[0] !== id || entries[0]?.entry.shard !== sh) return `it records ${ids}, not ${id}`;
    follower.committed = entries.slice(1).map(({ entry }) => ({
      ...{ worker, shard: entry.shard, id: follower.names.idOf(entry.id) ?? -1 },
    }));
    await follower.pass(call, lost);
    for (const one of lost ? [] : ids) follower.answered.add(`${worker} ${one}`);
    return undefined;
  }

  /** The step of an entry that was in the last commit. */
  private already(worker: number, sh: number): Flaw {
    const next = this.follower.committed.shift();
    if (next?.worker === worker && next.shard === sh) return undefined;
    return "the commit of the step before holds other entries";
  }

  private idsOf(call: HeldCall): (number | undefined)[] {
    const entries = call.args[0] as readonly EntryToRecord[];
    return entries.map(({ entry }) => this.follower.names.idOf(entry.id));
  }

  /** The worker's name for the entry that the specification has made. */
  private learn({ before, after }: Step, sh: number, entryId: string | undefined): void {
    if (shardIn(after, sh).tip === before.ids && entryId !== undefined)
      this.follower.names.learn(entryId, before.ids);
  }

  private async tipOf(sh: number): Promise<unknown> {
    return (await this.follower.stage.looked.shards.outbox(sh, 0, 1_000)).at(-1)?.id;
  }
}
