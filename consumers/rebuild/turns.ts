// Whose number is next in a sale, and what waits for its number: the rules of
// core/lua/shared/parking.lua, read from what was recorded.
import { RULES } from "../../core/domain/limits.ts";
import type { PlacedOrder } from "../../core/domain/row.ts";

export interface Parked {
  readonly gateway: string;
  readonly atMs: number;
  /** undefined: a number given up ahead of its turn. */
  readonly placed: PlacedOrder | undefined;
}

export interface Turn {
  readonly saleId: string;
  readonly user: string;
  next: number;
  readonly parked: Map<number, Parked>;
  /** When the present gap began. */
  gapSinceMs: number;
}

export function firstTurn(saleId: string, user: string): Turn {
  return { saleId, user, next: 1, parked: new Map(), gapSinceMs: 0 };
}

/** As in Lua: what came second under a number, or finds too many waiting, is not parked. */
export function park(turn: Turn, seq: number, parked: Parked): void {
  if (turn.parked.has(seq) || turn.parked.size >= RULES.MAX_PARKED) return;
  if (turn.parked.size === 0) turn.gapSinceMs = parked.atMs;
  turn.parked.set(seq, parked);
}

/** An order under this number was decided, and not parked. */
export function decide(turn: Turn, seq: number, gateway: string, atMs: number): void {
  // Rejected under a number at which another order waits for its rate: that one keeps it.
  if (seq === turn.next && !turn.parked.has(seq)) pass(turn, atMs);
  // Rejected or stale ahead of its turn; or decided in turn, after orders that this very entry lets
  // go and that are released below.
  else if (seq > turn.next) park(turn, seq, { gateway, atMs, placed: undefined });
}

/** The number was given up. */
export function skip(turn: Turn, seq: number, atMs: number): void {
  if (seq === turn.next) pass(turn, atMs);
  else if (seq > turn.next) park(turn, seq, { gateway: "", atMs, placed: undefined });
}

/** The order parked under this number was let go. */
export function release(turn: Turn, seq: number, atMs: number): void {
  turn.parked.delete(seq);
  if (seq < turn.next) return;
  forgetBelow(turn, seq);
  turn.next = seq;
  pass(turn, atMs);
}

/** The gap in front of numbers given up was given up. */
export function passTo(turn: Turn, next: number, atMs: number): void {
  forgetBelow(turn, next);
  turn.next = Math.max(turn.next, next);
  turn.gapSinceMs = atMs;
}

function forgetBelow(turn: Turn, seq: number): void {
  for (const other of turn.parked.keys()) if (other < seq) turn.parked.delete(other);
}

/**
 * The next number is used up, and with it those given up that follow; parked orders wait for their
 * own entry.
 */
function pass(turn: Turn, atMs: number): void {
  turn.next++;
  while (turn.parked.has(turn.next) && turn.parked.get(turn.next)?.placed === undefined)
    turn.parked.delete(turn.next++);
  turn.gapSinceMs = atMs;
}
