// A seeded plan of what the clients of a rush send: who orders what and when, what is sent twice,
// altered, given up, or numbered and out of turn. Stock covers a tenth of the demand.
import { at } from "../../core/domain/at.ts";
import type { Sale } from "../../core/domain/sale.ts";
import { prng, uuidV7 } from "../../core/runtime/prng.ts";
import type { SentBody } from "../history.ts";
import { drawRank, ITEMS, itemsWith, skuOf } from "./catalogue.ts";

export interface PlannedOrder {
  readonly user: string;
  readonly id: string;
  /** Sendings so far by any client, and whether one got a 202. */
  sendings: number;
  accepted: boolean;
}

export type Step =
  | {
      readonly kind: "order";
      readonly order: PlannedOrder;
      readonly copy: "first" | "exact" | "altered";
      /** JSON of the body without the id, as sent and as kept in the history. */
      readonly bodyText: string;
      /** Sent to a gateway other than the user's own. */
      readonly away: boolean;
    }
  | { readonly kind: "cancel"; readonly order: PlannedOrder; readonly away: boolean }
  | { readonly kind: "skip"; readonly user: string; readonly seq: number; readonly away: false };

export interface Plan {
  readonly sale: Sale;
  readonly steps: readonly Step[];
  readonly orders: number;
  readonly users: number;
}

export interface PlanOptions {
  readonly orders: number;
  readonly seed: number;
  /** Unix ms: the time in the ids, and when the sale opens. */
  readonly nowMs: number;
  readonly saleId?: string;
  readonly users?: number;
  /** Orders a second, according to the times in the ids; default: a rush, all at once. */
  readonly idsPerSecond?: number;
  /** Stock is the demand divided by this. */
  readonly demandOverStock?: number;
}

/** Faster than any system accepts them. */
const RUSH_IDS_PER_SECOND = 100_000;
const DEFAULT_USERS = 12_000;
const NUMBERED_SHARE = 0.25;
const SKIP_SHARE = 0.05;
const SWAP_SHARE = 0.3;
const EXACT_SHARE = 0.05;
const ALTERED_SHARE = 0.01;
/** Cards that are always declined. */
const BAD_CARD_SHARE = 0.03;
const AWAY_SHARE = 0.5;
/**
 * Share of orders that are cancelled; share of those cancelled before they are sent. The rest
 * follow within a maximum number of steps, most of them soon.
 */
const CANCEL_SHARE = 0.03;
const CANCEL_AHEAD_SHARE = 0.2;
const CANCEL_DISTANCE = 30_000;
/** A copy follows within this many steps. */
const COPY_DISTANCE = 500;
/** A tenth of the demand is met. */
const DEMAND_OVER_STOCK = 10;
const SALE_LENGTH_MS = 86_400_000;
/** The sale opens a little before the first order, to allow for clock differences. */
const OPENS_BEFORE_MS = 60_000;

export function makePlan(options: PlanOptions): Plan {
  const saleId = options.saleId ?? "rush";
  const random = prng(options.seed);
  const users = options.users ?? DEFAULT_USERS;
  const { idsPerSecond = RUSH_IDS_PER_SECOND, demandOverStock = DEMAND_OVER_STOCK } = options;
  const demand: number[] = Array(ITEMS).fill(0);
  const steps: Step[] = [];
  const turns = new Map<string, Turn>();
  const copies = new Copies();
  for (let made = 0; made < options.orders; ) {
    copies.moveDue(steps);
    const user = `user-${Math.floor(random() * users)}`;
    const turn = isNumbered(user) ? turnOf(turns, user) : undefined;
    const seq = turn ? ++turn.seq : 0;
    if (seq > 0 && random() < SKIP_SHARE) steps.push({ kind: "skip", user, seq, away: false });
    else {
      const body = drawBody(saleId, seq, demand, random);
      const order = {
        user,
        id: uuidV7(options.nowMs + (made * 1_000) / idsPerSecond, random),
        sendings: 0,
        accepted: false,
      };
      const first: Step = {
        kind: "order",
        order,
        copy: "first",
        bodyText: JSON.stringify(body),
        away: false,
      };
      const cancels = random() < CANCEL_SHARE;
      if (cancels && random() < CANCEL_AHEAD_SHARE)
        steps.push({ kind: "cancel", order, away: false });
      else if (cancels)
        copies.add(steps.length + 1 + Math.floor(random() ** 2 * CANCEL_DISTANCE), {
          kind: "cancel",
          order,
          away: random() < AWAY_SHARE,
        });
      steps.push(first);
      for (const copy of drawCopies(first, body, random))
        copies.add(steps.length + Math.floor(random() * COPY_DISTANCE), copy);
      made++;
    }
    if (turn) {
      if (seq > 1 && random() < SWAP_SHARE) swap(steps, turn.at, steps.length - 1);
      turn.at = steps.length - 1;
    }
  }
  copies.moveAll(steps);
  const stock = demand.map((units) => Math.max(1, Math.floor(units / demandOverStock)));
  const window = {
    opensAtMs: options.nowMs - OPENS_BEFORE_MS,
    closesAtMs: options.nowMs + SALE_LENGTH_MS,
  };
  const sale: Sale = {
    id: saleId,
    name: "The rush",
    currency: "EUR",
    ...window,
    items: itemsWith(stock),
  };
  return { sale, steps, orders: options.orders, users };
}

/** A numbered user's last number, and the step that has it. */
interface Turn {
  seq: number;
  at: number;
}

/** Second sendings that wait for their place among the steps. */
class Copies {
  private readonly due = new Map<number, Step[]>();
  private next = 0;

  add(at: number, step: Step): void {
    const list = this.due.get(at);
    if (list) list.push(step);
    else this.due.set(at, [step]);
  }

  moveDue(steps: Step[]): void {
    for (; this.next <= steps.length; this.next++) {
      steps.push(...(this.due.get(this.next) ?? []));
      this.due.delete(this.next);
    }
  }

  moveAll(steps: Step[]): void {
    for (const list of this.due.values()) steps.push(...list);
  }
}

/** A quarter of the users number their orders. */
function isNumbered(user: string): boolean {
  return Number(user.slice(user.lastIndexOf("-") + 1)) % Math.round(1 / NUMBERED_SHARE) === 0;
}

function turnOf(turns: Map<string, Turn>, user: string): Turn {
  let turn = turns.get(user);
  if (!turn) {
    turn = { seq: 0, at: 0 };
    turns.set(user, turn);
  }
  return turn;
}

/** Most users pay in the sale's currency; the others have two, zero and three minor digits. */
const CURRENCIES = ["USD", "JPY", "KWD", "GBP"] as const;
const FOREIGN_SHARE = 0.3;
/** Share of orders with a price ceiling: half well above their price, half far below. */
const CEILING_SHARE = 0.04;
const HIGH_CEILING = 99_999_999;
const LOW_CEILING = 5;

function drawMoney(random: () => number): { currency: string; maxTotal?: number } {
  const currency =
    random() < FOREIGN_SHARE ? at(CURRENCIES, Math.floor(random() * CURRENCIES.length)) : "EUR";
  if (random() >= CEILING_SHARE) return { currency };
  return { currency, maxTotal: random() < 0.5 ? HIGH_CEILING : LOW_CEILING };
}

function drawBody(saleId: string, seq: number, demand: number[], random: () => number): SentBody {
  const dice = random();
  const count = dice < 0.7 ? 1 : dice < 0.9 ? 2 : 3;
  const lines: { sku: string; qty: number }[] = [];
  while (lines.length < count) {
    const rank = drawRank(random);
    if (lines.some((line) => line.sku === skuOf(rank))) continue;
    const luck = random();
    const qty = luck < 0.8 ? 1 : luck < 0.95 ? 2 : 3;
    lines.push({ sku: skuOf(rank), qty });
    demand[rank] = at(demand, rank) + qty;
  }
  const payment = random() < BAD_CARD_SHARE ? "stub:decline" : "card";
  return { saleId, ...(seq > 0 ? { seq } : {}), ...drawMoney(random), lines, payment };
}

function drawCopies(
  first: Extract<Step, { kind: "order" }>,
  body: SentBody,
  random: () => number,
): Step[] {
  const copies: Step[] = [];
  if (random() < EXACT_SHARE) copies.push({ ...first, copy: "exact", away: random() < AWAY_SHARE });
  if (random() < ALTERED_SHARE) {
    const [line, ...rest] = body.lines;
    const lines = [{ sku: line?.sku ?? "", qty: (line?.qty ?? 0) + 1 }, ...rest];
    copies.push({
      ...first,
      copy: "altered",
      bodyText: JSON.stringify({ ...body, lines }),
      away: random() < AWAY_SHARE,
    });
  }
  return copies;
}

/** Sends the later number first. */
function swap(steps: Step[], a: number, b: number): void {
  const step = at(steps, a);
  steps[a] = at(steps, b);
  steps[b] = step;
}
