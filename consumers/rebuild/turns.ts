// Which number of a user is next in a sale, and what waits for its number. It follows the rules of
// core/lua/shared/parking.lua.
import { RULES } from "../../core/domain/limits.ts";
import type { PlacedOrder } from "../../core/domain/row.ts";

export interface Parked {
  readonly gateway: string;
  readonly atMs: number;
  /** undefined: the number was given up ahead of its turn. */
  readonly placed: PlacedOrder | undefined;
}

export interface Turn {
  readonly saleId: string;
  readonly user: string;
  next: number;
  readonly parked: Map<number, Parked>;
  /** When the current gap began. */
  gapSinceMs: number;
}

export function firstTurn(saleId: string, user: string): Turn {
  return { saleId, user, next: 1, parked: new Map(), gapSinceMs: 0 };
}

/** As in Lua, a second order with the same number is not parked, nor one beyond the limit. */
export function park(turn: Turn, seq: number, parked: Parked): void {
  if (turn.parked.has(seq) || turn.parked.size >= RULES.MAX_PARKED) return;
  if (turn.parked.size === 0) turn.gapSinceMs = parked.atMs;
  turn.parked.set(seq, parked);
}

/** An order with this number was decided, not parked. */
export function decide(turn: Turn, seq: number, gateway: string, atMs: number): void {
  // If another order of this number waits for its rate, the number stays with that one.
  if (seq === turn.next && !turn.parked.has(seq)) pass(turn, atMs);
  // Rejected or stale ahead of its turn, or decided in turn after orders that the same entry
  // releases.
  else if (seq > turn.next) park(turn, seq, { gateway, atMs, placed: undefined });
}

/** The number was given up. */
export function skip(turn: Turn, seq: number, atMs: number): void {
  if (seq === turn.next) pass(turn, atMs);
  else if (seq > turn.next) park(turn, seq, { gateway: "", atMs, placed: undefined });
}

/** The order that was parked with this number was released. */
export function release(turn: Turn, seq: number, atMs: number): void {
  turn.parked.delete(seq);
  if (seq < turn.next) return;
  forgetBelow(turn, seq);
  turn.next = seq;
  pass(turn, atMs);
}

/** A gap was given up, and `next` is the next number. */
export function passTo(turn: Turn, next: number, atMs: number): void {
  forgetBelow(turn, next);
  turn.next = Math.max(turn.next, next);
  turn.gapSinceMs = atMs;
}

function forgetBelow(turn: Turn, seq: number): void {
  for (const other of turn.parked.keys()) if (other < seq) turn.parked.delete(other);
}

/**
 * Uses up the next number and the given-up numbers that follow it. Parked orders wait for their
 * own release.
 */
function pass(turn: Turn, atMs: number): void {
  turn.next++;
  while (turn.parked.has(turn.next) && turn.parked.get(turn.next)?.placed === undefined)
    turn.parked.delete(turn.next++);
  turn.gapSinceMs = atMs;
}
