// Folds a shard's journal into what Redis must know of it: which orders it has decided, whose number is next, what is parked, and how
// many units of limited items each user has reserved. The rules are those of core/lua, read from what was recorded.
import { type Entry, parseOutcome } from "../core/domain/entry.ts";
import type { OrderRow, Row } from "../core/domain/order.ts";
import type { OrderState } from "../core/domain/outcome.ts";

export interface Parked {
  readonly gateway: string;
  readonly atMs: number;
  /** undefined: a number given up ahead of its turn. */
  readonly row: OrderRow | undefined;
}

export interface Turn {
  readonly saleId: string;
  readonly user: string;
  next: number;
  readonly parked: Map<number, Parked>;
  /** When the present gap began. */
  gapSinceMs: number;
}

export interface ReplayOptions {
  /** Orders with ids below this one are not remembered. */
  readonly firstId: string;
  readonly isLimited: (saleId: string, sku: string) => boolean;
}

export class Replayed {
  /** `user id` → `fingerprint state`. */
  readonly seen = new Map<string, string>();
  /** `sale user`. */
  readonly turns = new Map<string, Turn>();
  /** sale → `user sku` → units. */
  readonly bought = new Map<string, Map<string, number>>();

  constructor(private readonly options: ReplayOptions) {}

  apply(entry: Entry): void {
    for (const message of entry.messages) {
      const rows = JSON.parse(message.body) as Row[];
      const words = message.outcomes.split(",");
      rows.forEach((row, i) => {
        const outcome = parseOutcome(words[i] as string);
        if (outcome.kind === "fresh") this.decided(row as OrderRow, outcome.state, message.gateway, entry.atMs);
        else if (outcome.kind === "skipped") this.skipped(row, entry.atMs);
      });
    }
    // What was let go comes after all that let it go.
    for (const [, row, state] of entry.released) this.released(row, state, entry.atMs);
  }

  private decided(row: OrderRow, state: OrderState, gateway: string, atMs: number): void {
    this.remember(row, state);
    if (state === "reserved") this.buy(row);
    const seq = row[6];
    if (seq === 0 || state === "superseded") return;
    const turn = this.turn(row[5], row[1]);
    if (state === "parked") this.park(turn, seq, { gateway, atMs, row }, atMs);
    else if (seq === turn.next) this.pass(turn, atMs);
    // Rejected or stale ahead of its turn; or decided in turn, after orders that this very entry lets go and that are applied below.
    else if (seq > turn.next) this.park(turn, seq, { gateway, atMs, row: undefined }, atMs);
  }

  private skipped(row: Row, atMs: number): void {
    const turn = this.turn(row[5], row[1]);
    if (row[6] === turn.next) this.pass(turn, atMs);
    else if (row[6] > turn.next) this.park(turn, row[6], { gateway: "", atMs, row: undefined }, atMs);
  }

  private released(row: OrderRow, state: OrderState, atMs: number): void {
    this.remember(row, state);
    if (state === "reserved") this.buy(row);
    const turn = this.turn(row[5], row[1]);
    turn.parked.delete(row[6]);
    if (row[6] < turn.next) return;
    for (const seq of turn.parked.keys()) if (seq < row[6]) turn.parked.delete(seq);
    turn.next = row[6];
    this.pass(turn, atMs);
  }

  private park(turn: Turn, seq: number, parked: Parked, atMs: number): void {
    if (turn.parked.size === 0) turn.gapSinceMs = atMs;
    turn.parked.set(seq, parked);
  }

  /** The next number is used up, and with it those given up that follow; parked orders wait for their own entry. */
  private pass(turn: Turn, atMs: number): void {
    turn.next++;
    while (turn.parked.has(turn.next) && turn.parked.get(turn.next)?.row === undefined) turn.parked.delete(turn.next++);
    turn.gapSinceMs = atMs;
  }

  private remember(row: OrderRow, state: OrderState): void {
    if (row[2] >= this.options.firstId) this.seen.set(`${row[1]} ${row[2]}`, `${row[3]} ${state}`);
  }

  private buy(row: OrderRow): void {
    const lines = row[8];
    for (let i = 0; i < lines.length; i += 2) {
      const sku = lines[i] as string;
      if (!this.options.isLimited(row[5], sku)) continue;
      let sale = this.bought.get(row[5]);
      if (!sale) {
        sale = new Map();
        this.bought.set(row[5], sale);
      }
      const field = `${row[1]} ${sku}`;
      sale.set(field, (sale.get(field) ?? 0) + (lines[i + 1] as number));
    }
  }

  private turn(saleId: string, user: string): Turn {
    const name = `${saleId} ${user}`;
    let turn = this.turns.get(name);
    if (!turn) {
      turn = { saleId, user, next: 1, parked: new Map(), gapSinceMs: 0 };
      this.turns.set(name, turn);
    }
    return turn;
  }
}
