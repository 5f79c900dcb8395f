// Folds a shard's journal into what Redis must know of it: which orders it has decided, whose
// number is next, what is parked, and how many units of limited items each user has reserved. The
// rules are those of core/lua, read from what was recorded.
import { type Entry, isOrderStep, parseOutcome, type Step } from "../../core/domain/entry.ts";
import type { OrderRow, RedriveRow, Row } from "../../core/domain/order.ts";
import { redrivenOrder } from "../../core/domain/order.ts";
import type { OrderState } from "../../core/domain/outcome.ts";
import { Seen, type SeenOptions } from "../orders/seen.ts";

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

/** An order to which something may still happen: core/lua/shared/open.lua. */
export interface OpenOrder {
  readonly row: OrderRow;
  readonly gateway: string;
  readonly heldSinceMs: number;
  state: "reserved" | "paid" | "cancelled";
  generation: number;
  /** 0 while it waits in its user's lane. */
  attempt: number;
  /**
   * Of a paid order of which a service has claimed parts: how many there are, and part → `c`
   * (claimed) or `d` (done) and the service.
   */
  parts?: { readonly of: number; readonly held: Map<number, string> };
}

export interface RateWait {
  readonly gateway: string;
  readonly row: OrderRow;
  /** `EUR/USD` */
  readonly pair: string;
  readonly sinceMs: number;
}

/** core/lua/shared/parking.lua */
const MAX_PARKED = 64;

export interface ReplayOptions extends SeenOptions {
  readonly isLimited: (saleId: string, sku: string) => boolean;
}

export class Replayed {
  /** `user id` → `fingerprint state`. */
  readonly seen: Map<string, string>;
  private readonly memory: Seen;
  /** `sale user`. */
  readonly turns = new Map<string, Turn>();
  /** sale → `user sku` → units. */
  readonly bought = new Map<string, Map<string, number>>();

  /** `user id` */
  readonly open = new Map<string, OpenOrder>();
  /** user → ids to be charged, the first being charged. */
  readonly lanes = new Map<string, string[]>();
  /** user → id → when its cancel came. */
  readonly marks = new Map<string, Map<string, number>>();

  /** Orders that wait for a rate, oldest first, by `user id`. */
  readonly rateWaits = new Map<string, RateWait>();
  /** The last generation taken of orders that were redriven: sale → `user id` → generation. */
  readonly redriven = new Map<string, Map<string, number>>();
  /** Every parked order, by `user id`. */
  private readonly parkedOrders = new Map<string, { gateway: string; row: OrderRow }>();

  constructor(private readonly options: ReplayOptions) {
    this.memory = new Seen(options);
    this.seen = this.memory.records;
  }

  /** Only which orders an entry decided: for entries that a snapshot holds, but for that. */
  applySeen(entry: Entry): void {
    this.memory.apply(entry);
  }

  /** Forgets what is kept for as long as a sale lives. */
  retire(saleId: string): void {
    this.bought.delete(saleId);
    this.redriven.delete(saleId);
    for (const [name, turn] of this.turns) if (turn.saleId === saleId) this.turns.delete(name);
  }

  /** Filled from a snapshot: which orders are parked follows from where they wait. */
  restored(): void {
    const add = (gateway: string, row: OrderRow) =>
      this.parkedOrders.set(`${row[1]} ${row[2]}`, { gateway, row });
    for (const { parked } of this.turns.values())
      for (const { gateway, row } of parked.values()) if (row) add(gateway, row);
    for (const { gateway, row } of this.rateWaits.values()) add(gateway, row);
  }

  apply(entry: Entry): void {
    this.memory.at(entry.atMs);
    const waiting = new Map(
      entry.steps.filter((s) => s[0] === "wait").map((s, i) => [`${s[1]} ${s[2]}`, i + 1]),
    );
    const opened: OpenOrder[] = [];
    for (const message of entry.messages) {
      const rows = JSON.parse(message.body) as Row[];
      const words = message.outcomes.split(",");
      rows.forEach((row, i) => {
        const outcome = parseOutcome(words[i] as string);
        if (outcome.kind === "fresh") {
          this.decided(row as OrderRow, outcome.state, message.gateway, entry.atMs);
          if (outcome.state === "reserved")
            opened.push(this.opened(row as OrderRow, message.gateway, entry.atMs, waiting));
        } else if (outcome.kind === "skipped") this.skipped(row, entry.atMs);
        else if (outcome.kind === "step" && outcome.word === "cancel_pending")
          this.mark(row, entry.atMs);
        else if (outcome.kind === "step" && outcome.news && (row[0] as string) === "r") {
          const order = this.redrive(
            row as unknown as RedriveRow,
            outcome.word as OrderState,
            message.gateway,
            entry.atMs,
            waiting,
          );
          if (order) opened.push(order);
        }
      });
    }
    // What was let go comes after all that let it go.
    for (const [gateway, row, state] of entry.released) {
      this.released(row, state, entry.atMs);
      if (state === "reserved") opened.push(this.opened(row, gateway, entry.atMs, waiting));
    }
    this.line(opened, waiting);
    for (const step of entry.steps) {
      if (step[0] === "passed") this.passedTo(step[1], step[2], step[3], entry.atMs);
      if (step[0] === "rate_wait") this.waitForRate(step[1], step[2], step[3], entry.atMs);
      this.step(step);
    }
  }

  private opened(
    row: OrderRow,
    gateway: string,
    atMs: number,
    waiting: ReadonlyMap<string, number>,
  ): OpenOrder {
    const name = `${row[1]} ${row[2]}`;
    const order: OpenOrder = {
      row,
      gateway,
      heldSinceMs: atMs,
      state: "reserved",
      generation: 1,
      attempt: waiting.has(name) ? 0 : 1,
    };
    this.open.set(name, order);
    return order;
  }

  /** The order if it is open again. */
  private redrive(
    row: RedriveRow,
    state: OrderState,
    gateway: string,
    atMs: number,
    waiting: ReadonlyMap<string, number>,
  ): OpenOrder | undefined {
    const order = redrivenOrder(row);
    const generation = row[12];
    const taken = this.redriven.get(row[5]) ?? new Map<string, number>();
    this.redriven.set(row[5], taken.set(`${row[1]} ${row[2]}`, generation));
    this.remember(order, state);
    if (state !== "reserved") return undefined;
    this.buy(order);
    const opened = this.opened(order, gateway, atMs, waiting);
    opened.generation = generation;
    return opened;
  }

  /**
   * Into the lanes: those that did not wait, then the others in the order in which they began to.
   */
  private line(opened: OpenOrder[], waiting: ReadonlyMap<string, number>): void {
    const place = ({ row }: OpenOrder) => waiting.get(`${row[1]} ${row[2]}`) ?? 0;
    for (const { row } of opened.sort((a, b) => place(a) - place(b))) {
      const lane = this.lanes.get(row[1]);
      if (lane) lane.push(row[2]);
      else this.lanes.set(row[1], [row[2]]);
    }
  }

  private step(step: Step): void {
    if (!isOrderStep(step)) return;
    const [what, user, id, generation, attempt] = step;
    const name = `${user} ${id}`;
    const order = this.open.get(name);
    if (!order) return;
    switch (what) {
      case "start":
        order.generation = generation;
        order.attempt = attempt;
        return;
      case "paid":
        order.state = "paid";
        this.remember(order.row, "paid");
        this.leaveLane(user, id);
        return;
      case "claimed":
      case "done":
        this.part(order, what === "claimed" ? "c" : "d", step[8]);
        return;
      case "dispatched":
        this.remember(order.row, "dispatched");
        this.close(name, order);
        return;
      case "charge_failed":
      case "given_up":
        // Of a cancelled order it was the last there was to hear; of others a new attempt follows.
        if (order.state === "cancelled") this.close(name, order);
        return;
      case "refund":
        this.close(name, order);
        return;
      case "cancelled":
        this.giveBack(order);
        this.remember(order.row, "cancelled");
        if (step[8] === "held" && order.attempt > 0) order.state = "cancelled";
        else this.close(name, order);
        return;
      case "payment_failed":
      case "expired":
        this.giveBack(order);
        this.remember(order.row, what);
        this.close(name, order);
    }
  }

  private part(order: OpenOrder, mark: "c" | "d", detail: string): void {
    const [part = "", of = "", service = ""] = detail.split(" ");
    order.parts ??= { of: Number(of), held: new Map() };
    order.parts.held.set(Number(part), mark + service);
  }

  private waitForRate(user: string, id: string, pair: string, sinceMs: number): void {
    const name = `${user} ${id}`;
    const parked = this.parkedOrders.get(name);
    if (parked) this.rateWaits.set(name, { ...parked, pair, sinceMs });
  }

  private close(name: string, { row }: OpenOrder): void {
    this.open.delete(name);
    this.leaveLane(row[1], row[2]);
  }

  private leaveLane(user: string, id: string): void {
    const left = (this.lanes.get(user) ?? []).filter((other) => other !== id);
    if (left.length > 0) this.lanes.set(user, left);
    else this.lanes.delete(user);
  }

  private giveBack({ row }: OpenOrder): void {
    const units = this.bought.get(row[5]);
    for (let i = 0; i < row[8].length; i += 2) {
      const field = `${row[1]} ${row[8][i]}`;
      const had = units?.get(field);
      if (had !== undefined) units?.set(field, Math.max(0, had - (row[8][i + 1] as number)));
    }
  }

  private mark(row: Row, atMs: number): void {
    if (row[2] < this.options.firstId) return;
    const marks = this.marks.get(row[1]) ?? new Map<string, number>();
    this.marks.set(row[1], marks);
    marks.set(row[2], atMs);
  }

  private decided(row: OrderRow, state: OrderState, gateway: string, atMs: number): void {
    this.remember(row, state);
    if (state === "reserved") this.buy(row);
    if (state === "parked") this.parkedOrders.set(`${row[1]} ${row[2]}`, { gateway, row });
    const seq = row[6];
    if (seq === 0 || state === "superseded") return;
    const turn = this.turn(row[5], row[1]);
    if (state === "parked") this.park(turn, seq, { gateway, atMs, row }, atMs);
    // Rejected under a number at which another order waits for its rate: that one keeps it.
    else if (seq === turn.next && !turn.parked.has(seq)) this.pass(turn, atMs);
    // Rejected or stale ahead of its turn; or decided in turn, after orders that this very entry
    // lets go and that are applied below.
    else if (seq > turn.next) this.park(turn, seq, { gateway, atMs, row: undefined }, atMs);
  }

  private skipped(row: Row, atMs: number): void {
    const turn = this.turn(row[5], row[1]);
    if (row[6] === turn.next) this.pass(turn, atMs);
    else if (row[6] > turn.next)
      this.park(turn, row[6], { gateway: "", atMs, row: undefined }, atMs);
  }

  private released(row: OrderRow, state: OrderState, atMs: number): void {
    this.remember(row, state);
    if (state === "reserved") this.buy(row);
    this.parkedOrders.delete(`${row[1]} ${row[2]}`);
    this.rateWaits.delete(`${row[1]} ${row[2]}`);
    if (row[6] === 0) return;
    const turn = this.turn(row[5], row[1]);
    turn.parked.delete(row[6]);
    if (row[6] < turn.next) return;
    for (const seq of turn.parked.keys()) if (seq < row[6]) turn.parked.delete(seq);
    turn.next = row[6];
    this.pass(turn, atMs);
  }

  private passedTo(user: string, saleId: string, next: number, atMs: number): void {
    const turn = this.turn(saleId, user);
    for (const seq of turn.parked.keys()) if (seq < next) turn.parked.delete(seq);
    turn.next = Math.max(turn.next, next);
    turn.gapSinceMs = atMs;
  }

  private park(turn: Turn, seq: number, parked: Parked, atMs: number): void {
    // As in Lua: what came second under a number, or finds too many waiting, is not parked.
    if (turn.parked.has(seq) || turn.parked.size >= MAX_PARKED) return;
    if (turn.parked.size === 0) turn.gapSinceMs = atMs;
    turn.parked.set(seq, parked);
  }

  /**
   * The next number is used up, and with it those given up that follow; parked orders wait for
   * their own entry.
   */
  private pass(turn: Turn, atMs: number): void {
    turn.next++;
    while (turn.parked.has(turn.next) && turn.parked.get(turn.next)?.row === undefined)
      turn.parked.delete(turn.next++);
    turn.gapSinceMs = atMs;
  }

  private remember(row: OrderRow, state: OrderState): void {
    this.memory.remember(row, state);
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
