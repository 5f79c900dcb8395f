// I5: recomputes stock from the orders alone. The counters must equal what the orders hold, each
// entry must have moved what its orders took (so an order takes all of its lines or none), and the
// counters must add up.
import type { ItemRecord, MovementRecord } from "../../../ledger/audit.ts";
import type { LedgerOrder, Slice } from "../evidence.ts";
import type { Findings } from "../findings.ts";
import type { DecodedEntry } from "../journal.ts";
import type { Line } from "../rows.ts";

const HOLDING = new Set(["reserved"]);
/** Steps after which the order no longer holds units. */
const LETTING_GO = new Set(["paid", "payment_failed", "expired"]);
const SELLING = new Set(["paid", "dispatched"]);

interface Taking {
  readonly saleId: string;
  readonly lines: readonly Line[];
}

export class UnitsCheck {
  /** `sale sku` → units held by orders, and bought by them. */
  private readonly held = new Map<string, number>();
  private readonly sold = new Map<string, number>();
  /** `entry shard-n sale sku` → units its orders took, minus those its movements took. */
  private readonly taken = new Map<string, number>();
  /** `account sale sku` → balance by movements. */
  private readonly balance = new Map<string, number>();
  /** `cause sale sku` → sum over accounts, if not zero. */
  private readonly crooked = new Map<string, number>();

  constructor(private readonly findings: Findings) {}

  entry(entry: DecodedEntry, slice: Slice): void {
    const cause = `entry ${entry.shard}-${entry.n}`;
    for (const { row, effect, state } of entry.decided)
      if (effect === "fresh" && HOLDING.has(state) && slice(row.user)) this.take(cause, row);
    for (const { row, state } of entry.released)
      if (HOLDING.has(state) && slice(row.user)) this.take(cause, row);
    for (const step of entry.steps) {
      const { what, user, detail } = step;
      if (!slice(user)) continue;
      if (what === "redriven" && HOLDING.has(detail)) this.take(cause, step);
      if (LETTING_GO.has(what) || (what === "cancelled" && detail === "held"))
        this.take(cause, step, -1);
    }
  }

  order(order: LedgerOrder): void {
    const side = HOLDING.has(order.state)
      ? this.held
      : SELLING.has(order.state)
        ? this.sold
        : undefined;
    if (side) for (const { sku, qty } of order.lines) add(side, `${order.saleId} ${sku}`, qty);
  }

  movement({ cause, saleId, sku, account, units }: MovementRecord): void {
    const item = `${saleId} ${sku}`;
    add(this.balance, `${account} ${item}`, units);
    add(this.crooked, `${cause} ${item}`, units);
    if (account === "held" && cause.startsWith("entry "))
      add(this.taken, `${cause} ${item}`, -units);
  }

  end(items: readonly ItemRecord[]): void {
    for (const [name, units] of this.crooked)
      this.wrong("stock movements of one cause do not sum to zero", `${name}: ${units}`);
    for (const [name, units] of this.taken)
      this.wrong("an entry moved different units than its orders took", `${name}: ${units}`);
    const known = new Set<string>();
    for (const item of items) {
      known.add(`${item.saleId} ${item.sku}`);
      this.item(item);
    }
    for (const side of [this.held, this.sold]) {
      for (const name of side.keys())
        if (!known.has(name)) this.wrong("units were taken of an item that does not exist", name);
    }
  }

  private item(item: ItemRecord): void {
    const name = `${item.saleId} ${item.sku}`;
    const total = item.initial + item.restocked - item.corrected;
    const held = this.held.get(name) ?? 0;
    const sold = this.sold.get(name) ?? 0;
    if (held + sold > total) this.wrong("oversold", `${name}: ${held + sold} units of ${total}`);
    if (held !== item.held)
      this.wrong(
        "units held differ from what the orders hold",
        `${name}: counter ${item.held}, orders ${held}`,
      );
    if (sold !== item.sold)
      this.wrong(
        "units sold differ from what the orders bought",
        `${name}: counter ${item.sold}, orders ${sold}`,
      );
    if (item.available + item.releasing + item.held + item.sold !== total)
      this.wrong("stock does not add up", `${name}: ${JSON.stringify(item)}`);
    for (const account of ["available", "releasing", "held", "sold"] as const) {
      if (item[account] < 0) this.wrong("stock below zero", `${name}: ${account} ${item[account]}`);
      const moved = this.balance.get(`${account} ${name}`) ?? 0;
      if (moved !== item[account])
        this.wrong(
          "stock differs from its movements",
          `${name}: ${account} ${item[account]}, movements ${moved}`,
        );
    }
  }

  private take(cause: string, { saleId, lines }: Taking, sign = 1): void {
    for (const { sku, qty } of lines) add(this.taken, `${cause} ${saleId} ${sku}`, sign * qty);
  }

  private wrong(what: string, example: string): void {
    this.findings.violation("I5", what, example);
  }
}

/** Drops zeros, so that a map of differences keeps only errors. */
function add(sums: Map<string, number>, name: string, units: number): void {
  const sum = (sums.get(name) ?? 0) + units;
  if (sum === 0) sums.delete(name);
  else sums.set(name, sum);
}
