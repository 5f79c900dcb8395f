// The state of the specification (docs/protocol/world.qnt) as TypeScript sees it, as far as a trace
// is repeated on real stores.
import { type QuintMap, QuintSet, type Value } from "../protocol/values.ts";

export interface SpecRow {
  readonly kind: string;
  readonly order: string;
  readonly user: string;
  readonly seq: number;
  readonly qty: number;
  readonly answer: string;
  readonly attempt: number;
}

export interface SpecEntry {
  readonly id: number;
  readonly n: number;
  readonly epoch: number;
}

export interface SpecSession {
  readonly pc: string;
  readonly epoch: number;
  readonly inc: number;
  readonly last: number;
  readonly lastN: number;
  readonly handed: number;
  readonly hand: readonly { readonly copy: { readonly row: SpecRow } }[];
  readonly pending: readonly { readonly entry: SpecEntry }[];
}

export interface SpecShard {
  readonly inc: number;
  readonly state: string;
  readonly epoch: number;
  readonly tip: number;
  readonly n: number;
  readonly base: number;
  readonly basen: number;
  readonly outbox: readonly SpecEntry[];
  readonly seen: QuintMap;
  readonly next: QuintMap;
  readonly parked: QuintSet;
  readonly gaps: QuintMap;
  readonly lanes: QuintMap;
  readonly open: QuintMap;
  readonly freed: readonly { readonly n: number; readonly qty: number }[];
}

export interface SpecStock {
  readonly available: number;
  readonly releasing: number;
  readonly held: number;
  readonly sold: number;
}

export interface SpecPlace {
  readonly epoch: number;
  readonly last: number;
  readonly n: number;
}

export interface SpecState {
  readonly ids: number;
  readonly scope: { readonly units: number; readonly wiped: boolean };
  readonly halted: boolean;
  readonly trouble: number;
  readonly past: readonly Value[];
  readonly redis: { readonly shards: QuintMap; readonly stock: SpecStock };
  readonly ledger: {
    readonly inc: number;
    readonly stock: SpecStock;
    readonly places: QuintMap;
    readonly journal: QuintMap;
    readonly orders: QuintMap;
    readonly charges: QuintMap;
    readonly requests: QuintSet;
  };
  readonly sessions: QuintMap;
  readonly stale: QuintMap;
  readonly rebuilds: QuintMap;
}

export const specState = (state: Value): SpecState => state as unknown as SpecState;
export const at = <T>(map: QuintMap, ...key: Value[]): T =>
  map.get(key.length === 1 ? (key[0] as Value) : key) as unknown as T;

export const sessionOf = (state: SpecState, worker: number, sh: number): SpecSession =>
  at(state.sessions, worker, sh);
export const shardIn = (state: SpecState, sh: number): SpecShard => at(state.redis.shards, sh);

export interface SpecRebuild {
  readonly inc: number;
  readonly places: QuintMap;
  readonly resets: readonly number[];
  readonly loads: readonly number[];
}
export const rebuildOf = (state: SpecState, worker: number): SpecRebuild =>
  at(state.rebuilds, worker);

/** What a map holds, as names and values. */
export function pairsOf(map: QuintMap): [string, Value][] {
  return [...map.byKey.values()].map(([key, value]) => [String(key), value]);
}

export function membersOf(set: QuintSet): Value[] {
  return set instanceof QuintSet ? [...set.byKey.values()] : [];
}
