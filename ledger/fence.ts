// The second fence: compares what Redis decided by its own counters with what the ledger has
// recorded, in the transaction that records it. If an entry breaks one of these rules, Redis has
// lost something, and the ledger rejects the entry:
//
//   1. A user reserves no more of an item than its limit.
//   2. No more units come back than the user had reserved.
//   3. A number that has passed is not decided.
//
//   purchases  units reserved per user of items that have a limit, less those given back
//   turns      the next number of each user and sale, as far as decided orders show it
//
// Skipped and rejected numbers advance Redis's next number but not the ledger's, so the ledger's is
// never higher. A ledger older than its fence does not know earlier reservations: there `purchases`
// may fall below zero, and the limit holds for what is recorded. Orders without numbers and items
// without limits touch neither table. Nothing about a retired sale is recorded or rejected.
import type { OrderStep, Step } from "../core/domain/entry.ts";
import type { Line } from "../core/domain/order.ts";
import type { OrderState } from "../core/domain/outcome.ts";
import { type Dialect, insertRows, type Runner, type Value } from "./db.ts";
import type { Prices } from "./prices.ts";
import { Contradiction } from "./refusals.ts";
import { retiredOf } from "./retire.ts";
import { append, PURCHASES, TURNS } from "./sheet-rows.ts";

type Lines = readonly Line[];

/**
 * Units of one item for one user, over the entries of a transaction. Within an entry only the sum
 * counts, because it may cancel first.
 */
interface Purchase {
  readonly shard: number;
  readonly sale: string;
  readonly user: string;
  readonly sku: string;
  readonly limit: number;
  /** Units of the current entry. */
  entry: number;
  sum: number;
  /** The highest and the lowest sum after any entry. */
  peak: number;
  low: number;
}

/** One user's numbers in one sale, over the entries of a transaction. */
interface Turn {
  readonly sale: string;
  readonly user: string;
  /** The next number after the entries read so far; 0 if they decided none. */
  next: number;
  /** The lowest number in any entry. */
  lowest: number;
  /**
   * In the current entry: the numbers it decided, the lowest number it names, and the next number
   * after it.
   */
  decided: number[];
  spoken: number;
  passed: number;
  /** What contradicts the ledger. */
  flaw?: string;
}

/** Outcomes that do not show that the order's number was due. */
const UNDUE: ReadonlySet<OrderState> = new Set(["parked", "superseded", "rejected", "stale"]);
const GIVES_BACK: ReadonlySet<string> = new Set(["payment_failed", "expired", "cancelled"]);

export class Fence {
  readonly purchases = new Map<string, Purchase>();
  readonly turns = new Map<string, Turn>();
  private readonly bought = new Set<Purchase>();
  private readonly turned = new Set<Turn>();

  constructor(private readonly prices: Prices) {}

  /** Counts units reserved for a user. */
  reserved(shard: number, sale: string, user: string, lines: Lines): void {
    this.move(shard, sale, user, lines, 1);
  }

  /** A numbered order got its first outcome, or was released. */
  numbered(sale: string, user: string, seq: number, state: OrderState): void {
    if (state === "superseded" || state === "rejected" || state === "stale") return;
    const turn = this.turn(sale, user);
    turn.spoken = Math.min(turn.spoken, seq);
    if (UNDUE.has(state)) return;
    if (turn.decided.includes(seq)) turn.flaw ??= `number ${seq} of ${user} was decided twice`;
    turn.decided.push(seq);
    turn.passed = Math.max(turn.passed, seq + 1);
  }

  /** A number was given up, so it cannot have passed. */
  skipped(sale: string, user: string, seq: number): void {
    const turn = this.turn(sale, user);
    turn.spoken = Math.min(turn.spoken, seq);
  }

  step(shard: number, step: Step | OrderStep): void {
    if (step.what === "passed") {
      const { user, saleId, next } = step;
      const turn = this.turn(saleId, user);
      turn.spoken = Math.min(turn.spoken, next);
      turn.passed = Math.max(turn.passed, next);
    } else if (GIVES_BACK.has(step.what)) {
      const { user, saleId, lines } = step as OrderStep;
      this.move(shard, saleId, user, lines, -1);
    }
  }

  /** Call when the whole entry has been read. */
  endEntry(): void {
    for (const purchase of this.bought) {
      purchase.sum += purchase.entry;
      purchase.entry = 0;
      purchase.peak = Math.max(purchase.peak, purchase.sum);
      purchase.low = Math.min(purchase.low, purchase.sum);
    }
    for (const turn of this.turned) {
      if (turn.spoken < turn.next) turn.flaw ??= passedAlready(turn);
      turn.lowest = Math.min(turn.lowest, turn.spoken);
      turn.next = Math.max(turn.next, turn.passed);
      turn.decided = [];
      turn.spoken = Number.MAX_SAFE_INTEGER;
      turn.passed = 0;
    }
    this.bought.clear();
    this.turned.clear();
  }

  private move(shard: number, sale: string, user: string, lines: Lines, sign: 1 | -1): void {
    if (!this.prices.hasLimits(sale)) return;
    for (const { sku, qty } of lines) {
      const limit = this.prices.limit(sale, sku);
      if (limit === 0) continue;
      const key = `${sale} ${user} ${sku}`;
      let purchase = this.purchases.get(key);
      if (!purchase) {
        purchase = { shard, sale, user, sku, limit, entry: 0, sum: 0, peak: 0, low: 0 };
        this.purchases.set(key, purchase);
      }
      purchase.entry += sign * qty;
      this.bought.add(purchase);
    }
  }

  private turn(sale: string, user: string): Turn {
    const key = `${sale} ${user}`;
    let turn = this.turns.get(key);
    if (!turn) {
      const none = Number.MAX_SAFE_INTEGER;
      turn = { sale, user, next: 0, lowest: none, decided: [], spoken: none, passed: 0 };
      this.turns.set(key, turn);
    }
    this.turned.add(turn);
    return turn;
  }
}

/**
 * Compares a transaction's entries with the record, and records their changes. Throws
 * Contradiction. `older`: shards that have entries from before the fence.
 */
export async function guard(
  dialect: Dialect,
  tx: Runner,
  fence: Fence,
  older: ReadonlySet<number>,
): Promise<void> {
  if (fence.purchases.size > 0) await guardPurchases(tx, fence.purchases, older);
  if (fence.turns.size > 0) await guardTurns(dialect, tx, [...fence.turns.values()]);
}

const ADD = `ON CONFLICT (sale, usr, sku) DO UPDATE SET units = purchases.units + excluded.units
  RETURNING sale, usr, sku, units`;

async function guardPurchases(
  tx: Runner,
  purchases: Fence["purchases"],
  older: ReadonlySet<number>,
): Promise<void> {
  const flat: Value[] = [];
  for (const { sale, user, sku, sum } of purchases.values())
    append(flat, PURCHASES, { sale, usr: user, sku, units: sum });
  const rows = await insertRows(tx, "purchases", PURCHASES, flat, ADD);
  const flaws: Flaw[] = [];
  for (const { sale, usr, sku, units } of rows) {
    const purchase = purchases.get(`${sale} ${usr} ${sku}`) as Purchase;
    const before = Number(units) - purchase.sum;
    const known = { sale: purchase.sale };
    // 1
    if (before + purchase.peak > purchase.limit)
      flaws.push({ ...known, what: `${usr} would have more than ${purchase.limit} of ${sku}` });
    // 2
    if (before + purchase.low < 0 && !older.has(purchase.shard))
      flaws.push({ ...known, what: `${usr} returns more of ${sku} than was reserved` });
  }
  await refuse(tx, flaws);
}

async function guardTurns(dialect: Dialect, tx: Runner, turns: readonly Turn[]): Promise<void> {
  const highest = dialect === "sqlite" ? "MAX" : "GREATEST";
  // A turn beyond the lowest number in the entries is not updated, so it is not returned.
  const advance = `ON CONFLICT (sale, usr) DO UPDATE
    SET next = ${highest}(turns.next, excluded.next), lowest = excluded.lowest
    WHERE turns.next <= excluded.lowest RETURNING sale, usr`;
  const flat: Value[] = [];
  for (const { sale, user, next, lowest } of turns)
    append(flat, TURNS, { sale, usr: user, next: Math.max(1, next), lowest });
  const rows = await insertRows(tx, "turns", TURNS, flat, advance);
  const kept = new Set(rows.map(({ sale, usr }) => `${sale} ${usr}`));
  const flaws = turns.flatMap((turn) => {
    // 3
    if (!turn.flaw && kept.has(`${turn.sale} ${turn.user}`)) return [];
    return [{ sale: turn.sale, what: turn.flaw ?? passedAlready(turn) }];
  });
  await refuse(tx, flaws);
}

interface Flaw {
  readonly sale: string;
  readonly what: string;
}

/** Throws, unless all flaws are in retired sales. */
async function refuse(tx: Runner, flaws: readonly Flaw[]): Promise<void> {
  if (flaws.length === 0) return;
  const retired = await retiredOf(tx, [...new Set(flaws.map(({ sale }) => sale))]);
  for (const { sale, what } of flaws)
    if (!retired.has(sale)) throw new Contradiction(`in sale ${sale}: ${what}`);
}

function passedAlready({ user, lowest, spoken }: Turn): string {
  return `number ${Math.min(lowest, spoken)} of ${user} has passed`;
}
