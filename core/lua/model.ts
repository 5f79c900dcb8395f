// The rules of deciding in plain TypeScript, one order at a time, for the property tests to compare
// with. It shares no code with the function library, and is written to be read, not to be fast.
import { RULES } from "../domain/limits.ts";

export interface ModelOrder {
  readonly kind: "order";
  readonly user: string;
  readonly id: string;
  readonly seq: number;
  readonly lines: readonly { readonly sku: string; readonly qty: number }[];
}
export interface ModelSkip {
  readonly kind: "skip";
  readonly user: string;
  readonly seq: number;
}

export interface ModelChange {
  /** Added; below zero, taken away. */
  readonly units: number;
  readonly limit?: number | undefined;
  readonly withdrawn?: boolean | undefined;
}

const { MAX_PARKED, MAX_LANE } = RULES;

export class Model {
  readonly available: Record<string, number>;
  private readonly limits: Record<string, number>;
  private readonly withdrawn = new Set<string>();
  private readonly decided = new Map<string, { body: string; state: string }>();
  private readonly next = new Map<string, number>();
  private readonly parked = new Map<string, Map<number, ModelOrder | "skip">>();
  private readonly bought = new Map<string, number>();
  /** Orders in each user's lane: nobody is charged here, so none leaves. */
  private readonly lanes = new Map<string, number>();

  constructor(units: Record<string, number>, limits: Record<string, number>) {
    this.available = { ...units };
    this.limits = { ...limits };
  }

  /** The operator changes an item. Returns whether a correction found its units free. */
  change(sku: string, { units, limit, withdrawn }: ModelChange): boolean {
    this.limits[sku] = limit ?? this.limits[sku] ?? 0;
    if (withdrawn) this.withdrawn.add(sku);
    else if (withdrawn === false) this.withdrawn.delete(sku);
    const left = (this.available[sku] ?? 0) + units;
    if (left >= 0) this.available[sku] = left;
    return left >= 0;
  }

  /** The outcome word of one row. */
  take(row: ModelOrder | ModelSkip): string {
    return row.kind === "skip" ? this.skip(row) : this.order(row);
  }

  stateOf(order: ModelOrder): string | undefined {
    return this.decided.get(`${order.user} ${order.id}`)?.state;
  }

  private order(order: ModelOrder): string {
    const body = JSON.stringify([order.seq, order.lines]);
    const name = `${order.user} ${order.id}`;
    const known = this.decided.get(name);
    if (known) return (known.body === body ? "=" : "!") + known.state;
    const state = this.judgeInTurn(order);
    this.decided.set(name, { body, state });
    if (
      order.seq > 0 &&
      order.seq === this.nextOf(order.user) &&
      state !== "superseded" &&
      state !== "parked"
    )
      this.advance(order.user);
    return state;
  }

  private judgeInTurn(order: ModelOrder): string {
    if (order.seq === 0) return this.judge(order);
    const next = this.nextOf(order.user);
    if (order.seq < next) return "superseded";
    if (order.seq === next) return this.judge(order);
    const waiting = this.waitingOf(order.user);
    if (waiting.has(order.seq) || waiting.size >= MAX_PARKED) return "superseded";
    waiting.set(order.seq, order);
    return "parked";
  }

  private judge(order: ModelOrder): string {
    const units = (sku: string) => this.bought.get(`${order.user} ${sku}`) ?? 0;
    const unknown = (sku: string) => this.available[sku] === undefined || this.withdrawn.has(sku);
    if (order.lines.some(({ sku }) => unknown(sku))) return "unknown_item";
    const over = order.lines.some(
      ({ sku, qty }) => (this.limits[sku] ?? 0) > 0 && units(sku) + qty > (this.limits[sku] ?? 0),
    );
    if (over) return "over_limit";
    if (order.lines.some(({ sku, qty }) => (this.available[sku] ?? 0) < qty)) return "sold_out";
    const before = this.lanes.get(order.user) ?? 0;
    if (before >= MAX_LANE) return "over_limit";
    this.lanes.set(order.user, before + 1);
    for (const { sku, qty } of order.lines) {
      this.available[sku] = (this.available[sku] ?? 0) - qty;
      this.bought.set(`${order.user} ${sku}`, units(sku) + qty);
    }
    return "reserved";
  }

  private skip({ user, seq }: ModelSkip): string {
    const waiting = this.waitingOf(user);
    if (seq < this.nextOf(user) || waiting.has(seq)) return "skip_late";
    if (seq === this.nextOf(user)) {
      this.advance(user);
      return "skipped";
    }
    if (waiting.size >= MAX_PARKED) return "skip_late";
    waiting.set(seq, "skip");
    return "skipped";
  }

  /** The due number is used up; what waits for the next ones goes. */
  private advance(user: string): void {
    const waiting = this.waitingOf(user);
    let next = this.nextOf(user) + 1;
    for (let held = waiting.get(next); held !== undefined; held = waiting.get(next)) {
      waiting.delete(next);
      if (held !== "skip") this.settleParked(held);
      next++;
    }
    this.next.set(user, next);
  }

  private settleParked(order: ModelOrder): void {
    const known = this.decided.get(`${order.user} ${order.id}`);
    if (known) known.state = this.judge(order);
  }

  private nextOf(user: string): number {
    return this.next.get(user) ?? 1;
  }

  private waitingOf(user: string): Map<number, ModelOrder | "skip"> {
    let waiting = this.parked.get(user);
    if (!waiting) {
      waiting = new Map();
      this.parked.set(user, waiting);
    }
    return waiting;
  }
}
