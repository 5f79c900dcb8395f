// Hands parts to services that claim them over HTTP. It moves parts from a service's queue to
// leases in the ledger, claims them from their shards, and takes reports
// (docs/decisions/0028-parts-over-http.md).
//
//  1. A message is acknowledged once the ledger has its parts (part-queues.ts).
//  2. A part is given out only after its shard has said `claimed`: it is not cancelled, and no
//     other service has it. If the lease has ended by then, another claim may have it.
//  3. A report counts while the claim has the part. No other claim gets the part until the shard
//     has answered the report.
//  4. Parts that nobody claims any more are put off, so that they come again in a message.
import { CLAIMS_EXCHANGE, UNROUTED } from "../../broker/topology.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import {
  PARTS_TYPE,
  type Part,
  type PartWord,
  partKey,
  partKeyOf,
} from "../../core/domain/part.ts";
import { partRow } from "../../core/domain/row.ts";
import { ended } from "../../core/runtime/ignored.ts";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import type { Fate, Leased, LeaseRequest, PartId, PartLeases } from "../../ledger/contract.ts";
import type { RegionLink } from "../orders/relay.ts";
import { RowLanes, Undelivered } from "../orders/row-lanes.ts";
import { PartQueues } from "./part-queues.ts";

export interface PartDeskOptions {
  readonly runtime: Runtime;
  /** Names this process's answer queue. */
  readonly id: string;
  readonly regions: readonly RegionLink[];
  readonly shards: number;
  readonly leases: PartLeases;
  /** Redis's clock. */
  readonly now: () => number;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
  /** Default: RETURN_AFTER_MS. */
  readonly returnAfterMs?: number;
}

export interface Claim {
  readonly service: string;
  readonly claim: string;
  readonly most: number;
  readonly waitMs: number;
  readonly leaseMs: number;
}

export type Claimed =
  | { readonly kind: "claimed"; readonly untilMs: number; readonly parts: readonly Part[] }
  | { readonly kind: "none" }
  | { readonly kind: "ended" | "too_many" | "busy" | "unavailable" };

export interface Report {
  readonly service: string;
  readonly claim: string;
  readonly of: PartId;
  readonly outcome: "done" | "failed" | "later";
  /** Why it failed. */
  readonly reason: string;
}

/** `other`: it has another end already, by this claim or at its shard. */
export type Reported =
  | { readonly kind: "reported" }
  | { readonly kind: "ended" | "unknown" | "unconfirmed" }
  | { readonly kind: "other"; readonly fate: Fate };

/** Callers that wait here for parts, in all and of one service. */
export const MAX_WAITING = 100;
export const MAX_WAITING_OF_SERVICE = 50;
/** How often the waiting callers of a service look at its queue, all together. */
const LOOK_MS = 250;
/** How often they look for leases that have ended, all together. */
const LEASES_EVERY_MS = 2_000;
/** A shard answers within milliseconds, or its worker is being replaced. */
const ASK_MS = 10_000;
const ASK_AGAIN_MS = 3_000;
/** A part whose shard did not answer may be claimed again after this. */
const BACK_MS = 5_000;
/** Longer than a report waits for its shard. */
const HOLD_MS = 30_000;
/** Since a lease has ended: by then no process of the service claims over HTTP any more. */
const RETURN_AFTER_MS = 300_000;
/** A service that has called within this is served over HTTP; after it, its parts go back. */
const SERVED_FOR_MS = RETURN_AFTER_MS;
const RETURN_EVERY_MS = 10_000;
const RETURN_AT_ONCE = 100;
/** How long a finished claim and its reports are remembered. */
const FORGET_AFTER_MS = 86_400_000;

const FATES = { done: "done", failed: "failed", later: "later" } as const;

export class PartDesk {
  private readonly lanes: RowLanes;
  private readonly queues: PartQueues;
  /** How many callers of each service wait, or are being served. */
  private readonly callers = new Map<string, number>();
  /** Reads of one service's queue take turns. */
  private readonly turns = new Map<string, Promise<unknown>>();
  /** When a caller of each service last looked at its leases, monotonic ms. */
  private readonly leasesReadAtMs = new Map<string, number>();
  /** When each service last called, monotonic ms. */
  private readonly calledAtMs = new Map<string, number>();
  private readonly stops = new AbortController();
  private timer: Timer | undefined;
  /**
   * Parts: given out, and given out again; reported done, put off and failed; reported too late;
   * not the service's any more when they were claimed; sent in a message again.
   */
  readonly counts = {
    ...{ claimed: 0, done: 0, later: 0, failed: 0 },
    ...{ late: 0, gone: 0, returned: 0 },
  };

  constructor(private readonly options: PartDeskOptions) {
    const { runtime, id, regions, shards } = options;
    this.queues = new PartQueues(options);
    this.lanes = new RowLanes({
      ...{ runtime, id: `${id}-parts`, regions, shards, exchange: CLAIMS_EXCHANGE },
      ...{ deadlineMs: ASK_MS, answerMs: ASK_AGAIN_MS },
    });
  }

  /** Callers that wait or are being served. */
  get waiting(): number {
    let all = 0;
    for (const count of this.callers.values()) all += count;
    return all;
  }

  /** Services whose processes claim or report here. */
  services(): string[] {
    const sinceMs = this.options.runtime.monotonicMs() - SERVED_FOR_MS;
    for (const [service, atMs] of this.calledAtMs)
      if (atMs < sinceMs) this.calledAtMs.delete(service);
    return [...this.calledAtMs.keys()].sort();
  }

  async start(): Promise<void> {
    await this.lanes.listen();
    const { runtime } = this.options;
    this.timer = runtime.startInterval(() => void this.returnLapsed(), RETURN_EVERY_MS);
  }

  /** Answers all waiting callers; later ones do not wait. */
  quiet(): void {
    this.stops.abort();
    this.options.runtime.stopTimer(this.timer);
  }

  async stop(): Promise<void> {
    this.quiet();
    await this.lanes.stop();
  }

  /** Waits until the caller's time is up or the caller has left. */
  async claim(claim: Claim, gone: AbortSignal): Promise<Claimed> {
    const { service } = claim;
    const own = this.callers.get(service) ?? 0;
    if (own >= MAX_WAITING_OF_SERVICE || this.waiting >= MAX_WAITING) return { kind: "busy" };
    this.callers.set(service, own + 1);
    this.noteCall(service);
    try {
      return await this.waitForParts(claim, gone);
    } finally {
      this.noteCall(service);
      const left = (this.callers.get(service) ?? 1) - 1;
      if (left > 0) this.callers.set(service, left);
      else {
        this.callers.delete(service);
        this.leasesReadAtMs.delete(service);
      }
    }
  }

  async report(report: Report): Promise<Reported> {
    const { service, claim, of, outcome } = report;
    this.noteCall(service);
    const nowMs = this.options.now();
    const begin = { service, claim, of, nowMs, holdUntilMs: nowMs + HOLD_MS };
    const begun = await this.options.leases.beginReport(begin);
    if (begun.kind === "reported")
      return begun.fate === FATES[outcome] ? REPORTED : { kind: "other", fate: begun.fate };
    if (begun.kind !== "open") {
      this.counts.late++;
      return { kind: begun.kind };
    }
    const fate = await this.settle(begun.part, report);
    if (fate === undefined) return { kind: "unconfirmed" };
    const end = { of: withRequest(begun.part), claim, fate, nowMs: this.options.now() };
    await this.options.leases.endLease(end);
    if (fate !== "gone") this.counts[fate]++;
    return fate === FATES[outcome] ? REPORTED : { kind: "other", fate };
  }

  private noteCall(service: string): void {
    this.calledAtMs.set(service, this.options.runtime.monotonicMs());
  }

  private async waitForParts(claim: Claim, gone: AbortSignal): Promise<Claimed> {
    const { runtime } = this.options;
    const endMs = runtime.monotonicMs() + claim.waitMs;
    const ends = AbortSignal.any([gone, this.stops.signal]);
    const over = () => runtime.monotonicMs() >= endMs || ends.aborted;
    for (let first = true; ; first = false) {
      const leased = await this.lease(claim, first, () => !first && over());
      if (leased.kind === "leased") {
        const claimed = await this.claimAll(claim, leased, gone);
        if (claimed) return claimed;
      } else if (leased.kind !== "none") return leased;
      if (over()) return NONE;
      const leftMs = endMs - runtime.monotonicMs();
      const callers = this.callers.get(claim.service) ?? 1;
      await runtime.sleep(Math.max(0, Math.min(leftMs, LOOK_MS * callers)), ends);
    }
  }

  /** What the ledger has, else what is in the queues. `late`: the caller no longer wants any. */
  private async lease(
    claim: Claim,
    first: boolean,
    late: () => boolean,
  ): Promise<Leased | { kind: "unavailable" }> {
    const nowMs = this.options.runtime.monotonicMs();
    // A claim that is sent again finds what it has by its first look.
    if (first || nowMs - (this.leasesReadAtMs.get(claim.service) ?? 0) >= LEASES_EVERY_MS) {
      this.leasesReadAtMs.set(claim.service, nowMs);
      const leased = await this.options.leases.leaseParts(this.requestOf(claim), []);
      if (leased.kind !== "none") return leased;
    }
    const before = this.turns.get(claim.service) ?? Promise.resolve();
    const keep = (arrived: readonly Part[]) =>
      this.options.leases.leaseParts(this.requestOf(claim), arrived);
    const turn = before.then(() =>
      late() ? NONE : this.queues.lease(claim.service, claim.most, keep),
    );
    const over = ended(turn).then(() => {
      if (this.turns.get(claim.service) === over) this.turns.delete(claim.service);
    });
    this.turns.set(claim.service, over);
    return turn;
  }

  private requestOf({ service, claim, most, leaseMs }: Claim): LeaseRequest {
    const nowMs = this.options.now();
    return { service, claim, most, nowMs, untilMs: nowMs + leaseMs };
  }

  /**
   * 2. undefined: none of the parts is the service's any more. A caller that has left, or whose
   * lease has ended meanwhile, hears of none, so they are free at once.
   */
  private async claimAll(
    { service, claim }: Claim,
    { untilMs, parts }: Extract<Leased, { kind: "leased" }>,
    left: AbortSignal,
  ): Promise<Claimed | undefined> {
    const words = await Promise.all(parts.map((part) => this.askShard(part, "claim", service)));
    const claimed = parts.filter((_, i) => words[i] === "claimed");
    const late = left.aborted || this.options.now() >= untilMs;
    const [given, unheard] = late ? [[], claimed] : [claimed, []];
    const back = [...unheard, ...parts.filter((_, i) => words[i] === undefined)];
    const gone = parts.flatMap((of, i) => {
      const word = words[i];
      return word === undefined || word === "claimed" ? [] : [{ of, fate: fateOf(word) }];
    });
    if (gone.length > 0 || back.length > 0) {
      const nowMs = this.options.now();
      const settled = { service, claim, nowMs, gone: gone.map(named), back: back.map(idOf) };
      const backMs = late ? nowMs : nowMs + BACK_MS;
      await this.options.leases.settleClaim({ ...settled, backMs });
      this.counts.gone += gone.length;
    }
    this.counts.claimed += given.length;
    if (given.length > 0 || parts.length === 0) return { kind: "claimed", untilMs, parts: given };
    return back.length > 0 ? { kind: "unavailable" } : undefined;
  }

  /** The result for the part; undefined: the report may not have arrived. */
  private async settle(part: Part, report: Report): Promise<Fate | undefined> {
    if (report.outcome === "failed") return this.giveUp(part, report);
    const word = await this.askShard(part, report.outcome, report.service);
    return word === undefined ? undefined : fateOf(word);
  }

  /** The shard's word without its leading sign; undefined if none came in time. */
  private async askShard(part: Part, word: PartWord, service: string): Promise<string | undefined> {
    const row = partRow(part, word, service, this.options.runtime.wallMs());
    try {
      return (await this.lanes.ask(part.shard, row)).slice(1);
    } catch (error) {
      if (!(error instanceof Undelivered)) throw error;
      this.options.log("part not settled", { part: partKey(part), error: error.message });
      return undefined;
    }
  }

  /** To the parts without a route, for an operator. */
  private async giveUp(part: Part, { service, reason }: Report): Promise<Fate | undefined> {
    const { sinceMs: _, ...fresh } = part;
    const body = Buffer.from(JSON.stringify([fresh]));
    const properties = {
      type: PARTS_TYPE,
      headers: { "x-reason": `failed at ${service}: ${reason}` },
    };
    const key = partKeyOf(part.region, part.lines[0]?.category ?? "");
    for (const { publisher } of this.options.regions) {
      if (!publisher.ready) continue;
      const outcome = await publisher.publish(UNROUTED, key, body, properties);
      if (outcome === "confirmed") return "failed";
      if (outcome === "unknown") return undefined;
    }
    return undefined;
  }

  /** 4 */
  async returnLapsed(): Promise<void> {
    const { leases, now, log, returnAfterMs = RETURN_AFTER_MS } = this.options;
    const nowMs = now();
    try {
      const lapsed = await leases.lapsedParts({
        ...{ beforeMs: nowMs - returnAfterMs, holdUntilMs: nowMs + HOLD_MS },
        ...{ most: RETURN_AT_ONCE, forgetBeforeMs: nowMs - FORGET_AFTER_MS },
      });
      await Promise.all(lapsed.map(({ service, part }) => this.putBack(part, service)));
    } catch (error) {
      log("parts not returned", { error: messageOf(error) });
    }
  }

  private async putBack(part: Part, service: string): Promise<void> {
    let word = await this.askShard(part, "claim", service);
    if (word === "claimed") word = await this.askShard(part, "later", service);
    if (word === undefined) return; // the next look finds it again
    const end = { of: withRequest(part), claim: "", fate: fateOf(word), nowMs: this.options.now() };
    await this.options.leases.endLease(end);
    if (word === "late") this.counts.returned++;
  }
}

const REPORTED = { kind: "reported" } as const;
const NONE = { kind: "none" } as const;
const idOf = ({ user, id, generation, part }: PartId): PartId => ({ user, id, generation, part });
const withRequest = (part: Part) => ({ ...idOf(part), request: part.request ?? 1 });
const named = ({ of, fate }: { of: Part; fate: Fate }) => ({ of: idOf(of), fate });

/** What a word of the shard (core/lua/shared/fulfil.lua) means for a part. */
function fateOf(word: string): Fate {
  switch (word) {
    case "done":
    case "dispatched":
      return "done";
    case "late":
      return "later";
    default:
      return "gone";
  }
}
