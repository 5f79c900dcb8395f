// What of the specification's state a trace of real workers looks at, beside Redis and the ledger.
import type { QuintMap, QuintSet } from "../../protocol/values.ts";
import { REGIONS } from "../../simulate/system.ts";
import { SHARDS } from "../stores.ts";
import {
  at,
  membersOf,
  type SpecEntry,
  type SpecRow,
  type SpecSession,
  type SpecState,
  sessionOf,
  shardIn,
} from "../world-state.ts";

export const WORKERS = [0, 1];

export interface SpecCopy {
  readonly tag: number;
  readonly at: number;
  readonly row: SpecRow;
}

interface SpecQueue {
  readonly ready: readonly SpecCopy[];
  readonly unacked: readonly { readonly copy: SpecCopy; readonly chan: number }[];
  readonly consumers: readonly number[];
}

/** More of a worker's hold on a shard. */
interface Channels {
  readonly quiet: boolean;
  readonly chans: QuintMap;
  readonly marks: QuintMap;
  readonly hand: readonly { readonly copy: SpecCopy; readonly region: string }[];
}
export const channelsOf = (x: SpecSession): Channels => x as unknown as Channels;

interface SpecRequest {
  readonly order: string;
  readonly attempt: number;
}

/** More of the state (docs/protocol/world.qnt). */
interface More {
  readonly now: number;
  readonly queues: QuintMap;
  readonly wires: QuintMap;
  readonly wentBack: boolean;
  readonly down: QuintSet;
  readonly payments: readonly SpecRequest[];
  readonly payers: readonly { readonly request: SpecRequest }[];
}
export const more = (state: SpecState): More => state as unknown as More;

export const downIn = (state: SpecState, region: string): boolean =>
  membersOf(more(state).down).includes(region);

export const queueIn = (state: SpecState, region: string, sh: number): SpecQueue =>
  at(more(state).queues, region, sh);
export const staleOf = (
  state: SpecState,
  worker: number,
): readonly { readonly sh: number; readonly entry: SpecEntry; readonly epoch: number }[] =>
  at(state.stale, worker);

/** A message, as both sides name it. */
export function rowName({ kind, order, attempt, answer }: SpecRow): string {
  return kind === "answer" ? `${order}/${attempt}/${answer}` : order;
}

export const requestName = ({ order, attempt }: SpecRequest): string => `${order}/${attempt}`;

/** The requests that the ledger still has to publish, of one shard. */
export function requestsIn(state: SpecState, sh: number): string[] {
  return membersOf(state.ledger.requests)
    .map((request) => request as unknown as SpecRequest)
    .filter(({ order }) => shardOfOrder(order) === sh)
    .map(requestName);
}

/** As SHARD_OF has it: cyd's orders are of shard 1. */
export const shardOfOrder = (order: string): number => (order.startsWith("c") ? 1 : 0);

/** Which worker holds which shard, and what the queues hold. */
export function projectedWorld(state: SpecState): Map<string, string> {
  const all = new Map<string, string>();
  for (const worker of WORKERS) {
    const runs = SHARDS.filter((sh) => sessionOf(state, worker, sh).pc === "running");
    all.set(`worker ${worker} owns`, runs.join(" "));
  }
  for (const region of REGIONS)
    for (const sh of SHARDS) {
      const { ready, unacked } = queueIn(state, region, sh);
      all.set(`queue ${region} ${sh}`, ready.map(({ row }) => rowName(row)).join(" "));
      const held = unacked.map(({ copy }) => rowName(copy.row)).sort();
      all.set(`in flight ${region} ${sh}`, held.join(" "));
    }
  return all;
}

/** Sessions that have ended with a step. */
export function endedSessions(before: SpecState, after: SpecState) {
  return WORKERS.flatMap((worker) =>
    SHARDS.filter(
      (sh) =>
        sessionOf(before, worker, sh).pc !== "off" && sessionOf(after, worker, sh).pc === "off",
    ).map((sh) => ({ worker, sh })),
  );
}

/** The shards that a worker has or takes, and does not hand over. */
export function wantedBy(state: SpecState, worker: number): Set<number> {
  const keeps = (sh: number) => {
    const x = sessionOf(state, worker, sh);
    return x.pc !== "off" && !channelsOf(x).quiet;
  };
  return new Set(SHARDS.filter(keeps));
}

/** A region whose channel the worker has lost: it drops what it had from there, and redials. */
export function lostRegion(state: SpecState, worker: number, sh: number): string | undefined {
  const x = sessionOf(state, worker, sh);
  const { quiet, chans } = channelsOf(x);
  if (x.pc !== "running" || quiet) return undefined;
  return REGIONS.find((region) => {
    const chan = at<number>(chans, region);
    const { consumers } = queueIn(state, region, sh);
    return !consumers.includes(chan) && (!downIn(state, region) || chan > 0);
  });
}

/** Whether every shard in Redis is open, in the ledger's incarnation. */
export function allOpen(state: SpecState): boolean {
  return SHARDS.every((sh) => {
    const { state: word, inc } = shardIn(state, sh);
    return word === "open" && inc === state.ledger.inc;
  });
}

/** The head of what a worker has decided and not recorded. */
export const headOf = (x: SpecSession): SpecEntry | undefined => x.pending[0]?.entry;
