// Repeats a trace of the specification on the real stores, action by action. The specification says
// who acts, with which epoch, incarnation and message; the stores decide the result. After each
// action Redis and the ledger must hold what the specification says.
//
// Everything that involves no store (clients, gateways, brokers, payment workers, the provider) is
// taken from the trace: which message is decided, and what a provider answered.

import { refusalOf } from "../../consumers/orders/refusal.ts";
import type { Entry } from "../../core/domain/entry.ts";
import { messageText } from "../../core/domain/message.ts";
import { answerRow, type Row } from "../../core/domain/row.ts";
import { DEFAULT_DEDUP_WINDOW_MS } from "../../core/stores/keys.ts";
import type { Claim, Decision, Refusal } from "../../core/stores/shard-store.ts";
import type { RecordResult } from "../../ledger/contract.ts";
import type { LedgerImage } from "../../ledger/in-memory.ts";
import type { Walk } from "../protocol/walk.ts";
import type { RedisCopy } from "../simulate/world/redis.ts";
import type { Call, Flaw } from "./call.ts";
import { Names } from "./names.ts";
import { difference, projectedSpec, projectedStores, requestsOf } from "./projected.ts";
import { Parted, Rebuilds } from "./rebuilds.ts";
import { SHARDS, type Stores } from "./stores.ts";
import {
  at,
  membersOf,
  type SpecEntry,
  type SpecRow,
  type SpecSession,
  type SpecState,
  sessionOf,
  specState,
} from "./world-state.ts";

export interface Replayed {
  /** Actions repeated on a store. */
  readonly actions: number;
  /** By name. */
  readonly kinds: ReadonlyMap<string, number>;
  /** The first action after which something differs; undefined: none. */
  readonly flaw: string | undefined;
}

type Trace = Pick<Walk, "first"> & {
  readonly steps: readonly Pick<Walk["steps"][0], "label" | "state">[];
};

export async function replayTrace(stores: Stores, trace: Trace): Promise<Replayed> {
  const replay = new Replay(stores);
  let before = specState(trace.first);
  const start = await replay.differs(before);
  if (start) return { actions: 0, kinds: replay.kinds, flaw: `at the start: ${start}` };
  const so = (flaw: Flaw) => ({ actions: replay.actions, kinds: replay.kinds, flaw });
  try {
    for (const [i, { label, state }] of trace.steps.entries()) {
      const after = specState(state);
      const flaw = (await replay.act(label, before, after)) ?? (await replay.came(before, after));
      if (flaw) return so(`${i + 1}. ${label}: ${flaw}`);
      before = after;
    }
  } catch (error) {
    if (!(error instanceof Parted)) throw error;
  }
  return so(undefined);
}

/** What an action on an owner's shard starts from. */
interface Owning extends Call {
  readonly worker: number;
  readonly sh: number;
  readonly x: SpecSession;
  readonly claim: Claim;
}

class Replay {
  readonly names: Names;
  readonly kinds = new Map<string, number>();
  actions = 0;
  /** Whether the last action reached a store. */
  private acted = false;
  private readonly entries = new Map<number, Entry>();
  /** Copies of the content that a failover may lead back to, as the specification keeps them. */
  private pasts: RedisCopy[] = [];
  private backup: LedgerImage | undefined;
  private readonly rebuilds: Rebuilds;

  constructor(private readonly stores: Stores) {
    this.names = new Names(stores);
    this.rebuilds = new Rebuilds(stores, this.names);
  }

  /** As `differs`, where anything may have changed. */
  async came(before: SpecState, after: SpecState): Promise<Flaw> {
    const same = before.redis === after.redis && before.ledger === after.ledger;
    return same && !this.acted ? undefined : this.differs(after);
  }

  async differs(state: SpecState): Promise<Flaw> {
    return difference(projectedSpec(state), await projectedStores(this.stores, this.names));
  }

  /** Returns how what a store answered differs from what the specification made of it. */
  async act(label: string, before: SpecState, after: SpecState): Promise<Flaw> {
    const [, name = "", args = ""] = /^(\w+)\((.*)\)$/.exec(label) ?? [];
    const act = this.acts[name];
    this.acted = act !== undefined;
    if (!act) return undefined;
    this.actions++;
    this.kinds.set(name, (this.kinds.get(name) ?? 0) + 1);
    await this.stores.tick();
    const copy = after.past === before.past ? undefined : await this.stores.redis.copy();
    const flaw = await act({ name, args: args.split(","), before, after });
    if (copy && !this.went(name)) this.keep(copy, after.past.length);
    if (after.halted && !before.halted) await this.haltAll();
    return flaw;
  }

  private went(name: string): boolean {
    return name === "losesTail" || name === "losesAll";
  }

  private keep(copy: RedisCopy, most: number): void {
    this.pasts.push(copy);
    this.pasts.splice(0, this.pasts.length - most);
  }

  private async haltAll(): Promise<void> {
    for (const sh of SHARDS) await this.stores.shards.halt(sh, "the ledger went back");
  }

  /** The actions that reach a store. */
  private readonly acts: Readonly<Record<string, (call: Call) => Promise<Flaw>>> = {
    take: async ({ args: [worker, sh] }) => {
      await this.stores.open.writer.takeShard(Number(sh), `worker-${worker}`);
      return undefined;
    },
    own: (call) => this.owning(call, (owning) => this.own(owning)),
    check: (call) => this.owning(call, (owning) => this.check(owning)),
    catchUp: (call) => this.owning(call, (owning) => this.catchUp(owning)),
    decide: (call) => this.owning(call, (owning) => this.decide(owning)),
    unpark: (call) => this.owning(call, (owning) => this.unpark(owning)),
    record: (call) => this.owning(call, (owning) => this.record(owning)),
    recordInDoubt: (call) => this.owning(call, (owning) => this.record(owning)),
    recordStale: (call) => this.recordStale(call),
    mark: (call) => this.owning(call, (owning) => this.mark(owning)),
    relay: (call) => this.relay(call),
    losesTail: ({ after }) => this.losesTail(after),
    losesAll: async () => {
      await this.stores.redis.wipe();
      this.pasts = [];
      return undefined;
    },
    backup: async () => {
      this.backup = this.stores.memory.image();
      return undefined;
    },
    ledgerGoesBack: async () => {
      if (this.backup) await this.stores.memory.restore(this.backup);
      return undefined;
    },
    begin: (call) => this.rebuilds.begin(call),
    reset: (call) => this.rebuilds.reset(call),
    load: (call) => this.rebuilds.load(call),
    ready: (call) => this.rebuilds.ready(call),
  };

  private owning(call: Call, act: (owning: Owning) => Promise<Flaw>): Promise<Flaw> {
    const [worker, sh] = call.args.map(Number) as [number, number];
    const x = sessionOf(call.before, worker, sh);
    const claim = { shard: sh, incarnation: x.inc, epoch: x.epoch };
    return act({ ...call, worker, sh, x, claim });
  }

  /** Whether the owner continued, as the specification says. */
  private wentOn({ after, worker, sh }: Owning): boolean {
    return sessionOf(after, worker, sh).pc !== "off";
  }

  private agrees(owning: Owning, word: string, goesOn: boolean): Flaw {
    if (this.wentOn(owning) === goesOn) return undefined;
    return `the answer was '${word}', and the owner ${goesOn ? "stopped" : "went on"}`;
  }

  private async own(owning: Owning): Promise<Flaw> {
    const { shards, open } = this.stores;
    const word = await shards.own(owning.claim, open.ledger.storeId);
    return this.agrees(owning, word, word === "owned");
  }

  private async check(owning: Owning): Promise<Flaw> {
    const { x, claim, before, after } = owning;
    const { word } = await this.stores.shards.check(claim, this.names.entryId(x.last), x.lastN);
    const halts = after.halted && !before.halted;
    if (halts !== (word === "went_back")) return `the check answered '${word}'`;
    // The code's check also asks whether this is still the owner (core/lua/check.lua).
    if (word === "fenced") return undefined;
    return this.agrees(owning, word, word === "whole" || word === "behind");
  }

  private async catchUp(owning: Owning): Promise<Flaw> {
    const { x, sh } = owning;
    const [entry] = await this.stores.shards.outbox(sh, x.lastN, 1);
    if (!entry) return this.agrees(owning, "nothing left", true);
    this.entries.set(Number(this.names.entry(entry.id)), entry);
    return this.recorded(owning, entry);
  }

  private async record(owning: Owning): Promise<Flaw> {
    const [first] = owning.x.pending as [SpecSession["pending"][0]];
    if (first.entry.id < 0) return undefined;
    return this.recorded(owning, this.entries.get(first.entry.id) as Entry);
  }

  private async recorded(owning: Owning, entry: Entry): Promise<Flaw> {
    const { x, before, after } = owning;
    const [result] = await this.stores.open.writer.record([{ entry, epoch: x.epoch }]);
    if (result === "recorded") return this.agrees(owning, result, true);
    const why = refusalOf(
      result as Exclude<RecordResult, "recorded" | "unreadable">,
      entry,
      this.names.entryId(x.last),
    );
    if ((after.halted && !before.halted) !== (why === "went_back"))
      return `the ledger answered '${result}', which means '${why}'`;
    if (why === "lost" && after.trouble < x.inc) return "nobody sees that Redis lost something";
    return this.agrees(owning, `${result}`, false);
  }

  private async recordStale({ args: [worker], before }: Call): Promise<Flaw> {
    const stale = at<readonly { entry: SpecEntry; epoch: number }[]>(before.stale, Number(worker));
    const first = stale[0];
    const entry = first && this.entries.get(first.entry.id);
    if (entry) await this.stores.open.writer.record([{ entry, epoch: first.epoch }]);
    return undefined;
  }

  private async decide(owning: Owning): Promise<Flaw> {
    const { x, claim, before } = owning;
    const row = this.rowOf((x.hand[0] as SpecSession["hand"][0]).copy.row);
    const message = { gateway: "eu", batch: `${before.ids}`, body: messageText([row]) };
    const reply = await this.stores.shards.decide(claim, [message], {
      entryId: this.names.entryId(before.ids),
      dedupWindowMs: DEFAULT_DEDUP_WINDOW_MS,
      tip: this.names.entryId(x.handed),
    });
    return this.decided(owning, reply);
  }

  private rowOf(row: SpecRow): Row {
    const { order } = this.names.rowOf(row);
    if (row.kind === "order") return this.names.rowOf(row);
    const { user, id } = order;
    const nowMs = Math.floor(this.stores.scheduler.nowMs());
    return answerRow(
      { user, id, generation: 1, attempt: row.attempt },
      row.answer as never,
      "",
      nowMs,
    );
  }

  private async unpark(owning: Owning): Promise<Flaw> {
    const { x, claim, before } = owning;
    const reply = await this.stores.shards.unpark(claim, {
      entryId: this.names.entryId(before.ids),
      dedupWindowMs: DEFAULT_DEDUP_WINDOW_MS,
      tip: this.names.entryId(x.handed),
      cutoffMs: Math.floor(this.stores.scheduler.nowMs()) + 1_000,
      limit: 10,
    });
    return this.decided(owning, reply);
  }

  private decided(owning: Owning, reply: Decision | { readonly word: Refusal }): Flaw {
    if (reply.word === "decided" && reply.entry) this.entries.set(owning.before.ids, reply.entry);
    return this.agrees(owning, reply.word, reply.word === "decided");
  }

  private async mark({ x, claim }: Owning): Promise<Flaw> {
    await this.stores.shards.recorded(claim, this.names.entryId(x.last), x.lastN);
    return undefined;
  }

  /** The ledger learns that the broker has a request. */
  private async relay({ before, after }: Call): Promise<Flaw> {
    const left = new Set(membersOf(after.ledger.requests).map(requestName));
    const gone = membersOf(before.ledger.requests)
      .map(requestName)
      .find((name) => !left.has(name));
    if (gone === undefined) return undefined;
    const open = await requestsOf(this.stores, this.names);
    const ids = open.flatMap(({ id, name }) => (name === gone ? [id] : []));
    await this.stores.open.writer.followUpsDone(ids);
    return undefined;
  }

  private async losesTail(after: SpecState): Promise<Flaw> {
    const copy = this.pasts[after.past.length] as RedisCopy;
    await this.stores.redis.become(copy);
    this.pasts.length = after.past.length;
    return undefined;
  }
}

function requestName(request: unknown): string {
  const { order, attempt } = request as { readonly order: string; readonly attempt: number };
  return `${order}/${attempt}`;
}
