// Folds a shard's journal into what Redis must know of it: which orders it has decided, which
// numbers are next, what is parked, and how many units of limited items each user has reserved. It
// follows the rules of core/lua.
import {
  type Entry,
  isOrderStep,
  type OrderStep,
  parseOutcome,
  type Step,
} from "../../core/domain/entry.ts";
import {
  idAt,
  lineStarts,
  placedAt,
  type Rows,
  readMessage,
  userAt,
} from "../../core/domain/message.ts";
import type { Order } from "../../core/domain/order.ts";
import type { OrderState } from "../../core/domain/outcome.ts";
import type { PlacedOrder } from "../../core/domain/row.ts";
import { Seen, type SeenOptions, stateGiven } from "../orders/seen.ts";
import { decide, firstTurn, park, passTo, release, skip, type Turn } from "./turns.ts";

/** An order that may still change, as in core/lua/shared/open.lua. */
export interface OpenOrder {
  readonly placed: PlacedOrder;
  readonly gateway: string;
  readonly heldSinceMs: number;
  state: "reserved" | "paid" | "cancelled";
  generation: number;
  /** 0 while it waits in its user's lane. */
  attempt: number;
  /**
   * For a paid order with claimed parts: how many parts it has, and part → `c` (claimed) or `d`
   * (done), followed by the service.
   */
  parts?: { readonly of: number; readonly held: Map<number, string> };
}

export interface RateWait {
  readonly gateway: string;
  readonly placed: PlacedOrder;
  /** `EUR/USD` */
  readonly pair: string;
  readonly sinceMs: number;
}

export interface ReplayOptions extends SeenOptions {
  readonly isLimited: (saleId: string, sku: string) => boolean;
}

/** A message's rows, and the time of its entry. */
interface Read {
  readonly gateway: string;
  readonly atMs: number;
  readonly rows: Rows;
  readonly starts: readonly number[];
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
  /** user → ids to be charged; the first is being charged. */
  readonly lanes = new Map<string, string[]>();
  /** user → id → when its cancel arrived. */
  readonly marks = new Map<string, Map<string, number>>();

  /** Orders that wait for a rate, oldest first, by `user id`. */
  readonly rateWaits = new Map<string, RateWait>();
  /** The last generation of redriven orders: sale → `user id` → generation. */
  readonly redriven = new Map<string, Map<string, number>>();
  /** Every parked order, by `user id`. */
  private readonly parkedOrders = new Map<string, { gateway: string; placed: PlacedOrder }>();

  constructor(private readonly options: ReplayOptions) {
    this.memory = new Seen(options);
    this.seen = this.memory.records;
  }

  /** Takes only the decided orders from an entry: the snapshot has everything else of it. */
  applySeen(entry: Entry): void {
    this.memory.apply(entry);
  }

  /** Forgets what is kept only until a sale retires. */
  retire(saleId: string): void {
    this.bought.delete(saleId);
    this.redriven.delete(saleId);
    for (const [name, turn] of this.turns) if (turn.saleId === saleId) this.turns.delete(name);
  }

  /** Called once a snapshot has been decoded: collects the parked orders from where they wait. */
  restored(): void {
    const add = (gateway: string, placed: PlacedOrder) =>
      this.parkedOrders.set(nameOf(placed.order), { gateway, placed });
    for (const { parked } of this.turns.values())
      for (const { gateway, placed } of parked.values()) if (placed) add(gateway, placed);
    for (const { gateway, placed } of this.rateWaits.values()) add(gateway, placed);
  }

  apply(entry: Entry): void {
    const { atMs } = entry;
    this.memory.at(atMs);
    const opened: OpenOrder[] = [];
    for (const { gateway, body, outcomes } of entry.messages) {
      const rows = readMessage(body);
      const read: Read = { gateway, atMs, rows, starts: lineStarts(rows) };
      outcomes.split(",").forEach((word, i) => {
        const order = this.row(read, i, word);
        if (order) opened.push(order);
      });
    }
    // Released orders come after everything that released them.
    for (const { gateway, state, ...placed } of entry.released) {
      this.released(placed, state, atMs);
      if (state === "reserved") opened.push(this.opened(placed, gateway, atMs));
    }
    this.line(opened, entry.steps);
    for (const step of entry.steps) {
      if (step.what === "passed") passTo(this.turn(step.saleId, step.user), step.next, atMs);
      if (step.what === "rate_wait") this.waitForRate(step.user, step.id, step.pair, atMs);
      if (isOrderStep(step)) this.step(step);
    }
  }

  /** The order that a row opens, if any. */
  private row(read: Read, i: number, word: string): OpenOrder | undefined {
    const { rows, atMs } = read;
    const outcome = parseOutcome(word);
    if (outcome.kind === "fresh") return this.decided(read, i, outcome.state);
    if (outcome.kind === "skipped")
      skip(this.turn(rows.sale[i] as string, userAt(rows, i)), rows.seq[i] as number, atMs);
    else if (outcome.kind === "step") {
      if (outcome.word === "cancel_pending") this.mark(rows, i, atMs);
      const state = stateGiven(rows, i, outcome);
      if (state !== undefined) return this.redrive(read, i, state);
    }
    return undefined;
  }

  private opened(placed: PlacedOrder, gateway: string, atMs: number, generation = 1): OpenOrder {
    this.buy(placed.order);
    const held = { heldSinceMs: atMs, state: "reserved" as const, generation, attempt: 1 };
    const order: OpenOrder = { placed, gateway, ...held };
    this.open.set(nameOf(placed.order), order);
    return order;
  }

  /** The order, if the redrive reserved it. */
  private redrive(read: Read, i: number, state: OrderState): OpenOrder | undefined {
    const { rows, starts, gateway, atMs } = read;
    const [saleId, generation] = [rows.sale[i] as string, rows.generation[i] as number];
    const taken = this.redriven.get(saleId) ?? new Map<string, number>();
    this.redriven.set(saleId, taken.set(rows.order[i] as string, generation));
    this.memory.remember(rows.order[i] as string, rows.fingerprint[i] as string, state);
    if (state !== "reserved") return undefined;
    return this.opened(placedAt(rows, i, starts), gateway, atMs, generation);
  }

  /**
   * Adds orders to the lanes: first those that did not wait, then the others in the order in which
   * they began to wait.
   */
  private line(opened: OpenOrder[], steps: readonly Step[]): void {
    const waits = steps.filter(({ what }) => what === "wait") as { user: string; id: string }[];
    const waiting = new Map(waits.map((order, i) => [nameOf(order), i + 1]));
    const place = ({ placed }: OpenOrder) => waiting.get(nameOf(placed.order)) ?? 0;
    for (const order of opened.sort((a, b) => place(a) - place(b))) {
      if (place(order) > 0) order.attempt = 0;
      const { user, id } = order.placed.order;
      const lane = this.lanes.get(user);
      if (lane) lane.push(id);
      else this.lanes.set(user, [id]);
    }
  }

  private step({ what, user, id, generation, attempt, detail }: OrderStep): void {
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
        this.remember(order.placed, "paid");
        this.leaveLane(user, id);
        return;
      case "claimed":
      case "done":
        this.part(order, what === "claimed" ? "c" : "d", detail);
        return;
      case "dispatched":
        this.remember(order.placed, "dispatched");
        this.close(name, order);
        return;
      case "charge_failed":
      case "given_up":
        // This closes a cancelled order. For any other, a new attempt follows.
        if (order.state === "cancelled") this.close(name, order);
        return;
      case "refund":
        this.close(name, order);
        return;
      case "cancelled":
        this.giveBack(order);
        this.remember(order.placed, "cancelled");
        if (detail === "held" && order.attempt > 0) order.state = "cancelled";
        else this.close(name, order);
        return;
      case "payment_failed":
      case "expired":
        this.giveBack(order);
        this.remember(order.placed, what);
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

  private close(name: string, { placed }: OpenOrder): void {
    this.open.delete(name);
    this.leaveLane(placed.order.user, placed.order.id);
  }

  private leaveLane(user: string, id: string): void {
    const left = (this.lanes.get(user) ?? []).filter((other) => other !== id);
    if (left.length > 0) this.lanes.set(user, left);
    else this.lanes.delete(user);
  }

  private giveBack({ placed }: OpenOrder): void {
    const { user, saleId, lines } = placed.order;
    const units = this.bought.get(saleId);
    for (const { sku, qty } of lines) {
      const field = `${user} ${sku}`;
      const had = units?.get(field);
      if (had !== undefined) units?.set(field, Math.max(0, had - qty));
    }
  }

  private mark(rows: Rows, i: number, atMs: number): void {
    const [user, id] = [userAt(rows, i), idAt(rows, i)];
    if (id < this.options.firstId) return;
    const marks = this.marks.get(user) ?? new Map<string, number>();
    this.marks.set(user, marks);
    marks.set(id, atMs);
  }

  /** The order, if it is open now. Most are not, so no object is made for those. */
  private decided(read: Read, i: number, state: OrderState): OpenOrder | undefined {
    const { rows, starts, gateway, atMs } = read;
    const name = rows.order[i] as string;
    this.memory.remember(name, rows.fingerprint[i] as string, state);
    const placed =
      state === "reserved" || state === "parked" ? placedAt(rows, i, starts) : undefined;
    if (placed && state === "parked") this.parkedOrders.set(name, { gateway, placed });
    const seq = rows.seq[i] as number;
    if (seq !== 0 && state !== "superseded") {
      const turn = this.turn(rows.sale[i] as string, userAt(rows, i));
      if (state === "parked") park(turn, seq, { gateway, atMs, placed });
      else decide(turn, seq, gateway, atMs);
    }
    return placed && state === "reserved" ? this.opened(placed, gateway, atMs) : undefined;
  }

  private released(placed: PlacedOrder, state: OrderState, atMs: number): void {
    const { user, saleId, seq } = placed.order;
    const name = nameOf(placed.order);
    this.remember(placed, state);
    this.parkedOrders.delete(name);
    this.rateWaits.delete(name);
    if (seq !== 0) release(this.turn(saleId, user), seq, atMs);
  }

  private remember({ order, fingerprint }: PlacedOrder, state: OrderState): void {
    this.memory.remember(nameOf(order), fingerprint, state);
  }

  private buy({ user, saleId, lines }: Order): void {
    for (const { sku, qty } of lines) {
      if (!this.options.isLimited(saleId, sku)) continue;
      let sale = this.bought.get(saleId);
      if (!sale) {
        sale = new Map();
        this.bought.set(saleId, sale);
      }
      const field = `${user} ${sku}`;
      sale.set(field, (sale.get(field) ?? 0) + qty);
    }
  }

  private turn(saleId: string, user: string): Turn {
    const name = `${saleId} ${user}`;
    let turn = this.turns.get(name);
    if (!turn) {
      turn = firstTurn(saleId, user);
      this.turns.set(name, turn);
    }
    return turn;
  }
}

function nameOf({ user, id }: Pick<Order, "user" | "id">): string {
  return `${user} ${id}`;
}
