// What happens to a simulated system from outside, drawn from a seed before anything runs: its
// shape, what clients do, and what breaks. It is plain data, so that a failing one can be shrunk
// and replayed.
import { at } from "../../core/domain/at.ts";
import type { Sale } from "../../core/domain/sale.ts";
import { prng, uuidV7 } from "../../core/runtime/prng.ts";
import type { Shares } from "../../stubs/provider/behaviour.ts";
import type { SentBody } from "../history.ts";
import { FAULTS, type FaultKind, REDIS_FAULTS } from "./fault-kinds.ts";
import type { Moment } from "./moments.ts";
import {
  between,
  drawBursts,
  drawScenario,
  drawShares,
  PROFILES,
  type Profile,
  type Range,
  type Scenario,
} from "./profiles.ts";
import { USUAL_SHARES } from "./provider.ts";
import { START_MS } from "./scheduler.ts";

export interface Shape {
  readonly shards: number;
  readonly gateways: number;
  readonly workers: number;
  readonly payments: number;
  readonly services: number;
}

/** What a client does. `copy` and `cancel` name an order by its place among the actions. */
export type Action =
  | {
      readonly kind: "order";
      readonly atMs: number;
      readonly gateway: number;
      readonly user: string;
      readonly id: string;
      readonly body: SentBody;
    }
  | {
      readonly kind: "cancel";
      readonly atMs: number;
      readonly gateway: number;
      readonly user: string;
      readonly id: string;
    }
  | {
      readonly kind: "skip";
      readonly atMs: number;
      readonly gateway: number;
      readonly user: string;
      readonly seq: number;
    };

export interface Fault {
  readonly kind: FaultKind;
  readonly atMs: number;
  /** Not before this moment has passed `nth` times since `atMs`. */
  readonly at?: { readonly moment: Moment; readonly nth: number; readonly afterMs: number };
  /** How long it lasts. */
  readonly forMs: number;
  /** Picks the process or region, modulo their number. */
  readonly who: number;
  /** In [-1, 1): how strong it is, for kinds that have a strength. */
  readonly by: number;
}

export interface Schedule {
  readonly seed: number;
  readonly scenario: Scenario;
  readonly shape: Shape;
  readonly sale: Sale;
  /** Clients and faults act within this time; then everything heals. */
  readonly rushMs: number;
  /** How the provider treats charges. */
  readonly shares: Shares;
  readonly actions: readonly Action[];
  readonly faults: readonly Fault[];
  /** Nothing breaks, but Redis is slow, and copies keep every shard busy throughout (flood.ts). */
  readonly flood: boolean;
  /** One target queue is broken, and all other follow-ups must go on (targets.ts). */
  readonly targets: boolean;
}

export const SALE_ID = "rush";
const RUSH_MS = 12_000;
const MIN_ORDERS = 12;
const MORE_ORDERS = 36;
/** Few in most seeds, many in some. */
const MAX_FAULTS = 50;
/** Share of the seeds in which the ledger is restored from a backup. */
const RESTORED_SHARE = 0.04;
/** Share of the seeds with a flood of copies instead of faults. */
const FLOOD_SHARE = 0.03;
const CROWD: Crowd = { users: 10, rushMs: RUSH_MS, ordersMs: RUSH_MS, cancels: 0.2 };
const STOCK: Range = [2, 13];
const SKUS = ["lamp", "radio", "print", "vase"] as const;
const CATEGORIES = ["home", "electronics", "art", "home"] as const;
/** A user's numbers are all there, in turn or not, or one is left out. */
const CURRENCIES = ["EUR", "EUR", "EUR", "USD", "JPY"] as const;

/** Who buys. */
type Crowd = Pick<Profile, "users" | "rushMs" | "cancels"> & { readonly ordersMs: number };

/** `scenario`: instead of the one that the seed draws. */
export function drawSchedule(seed: number, scenario?: Scenario): Schedule {
  const own = scenario ?? drawScenario(prng(Math.imul(seed, 0x85ebca6b) + 7));
  return own === "anything" ? drawAnything(seed) : drawProfile(seed, own);
}

/** Small, short, and with faults where they hurt. */
function drawProfile(seed: number, scenario: Exclude<Scenario, "anything">): Schedule {
  const random = prng(Math.imul(seed, 0xc2b2ae35) + 3);
  const profile: Profile = PROFILES[scenario];
  const { rushMs, targets = false } = profile;
  const count = (range: Range) => between(range, random);
  const shape: Shape = {
    shards: count(profile.shape.shards),
    gateways: count(profile.shape.gateways),
    workers: count(profile.shape.workers),
    payments: count(profile.shape.payments),
    services: count(profile.shape.services),
  };
  const crowd = { ...profile, ordersMs: profile.ordersMs ?? rushMs };
  const actions = drawActions(count(profile.orders), shape, crowd, random);
  const faults = drawBursts(profile, random).sort((a, b) => a.atMs - b.atMs);
  const sale = drawSale(random, profile.stock);
  const shares = drawShares(profile, random);
  return { seed, scenario, shape, sale, rushMs, shares, actions, faults, flood: false, targets };
}

function drawAnything(seed: number): Schedule {
  const random = prng(Math.imul(seed, 0x9e3779b1) + 1);
  const count = (least: number, more: number) => least + Math.floor(random() * (more + 1));
  const shape: Shape = {
    shards: count(1, 2),
    gateways: count(1, 2),
    workers: count(1, 2),
    payments: count(1, 1),
    services: 2,
  };
  const actions = drawActions(count(MIN_ORDERS, MORE_ORDERS), shape, CROWD, random);
  const faults = Array.from({ length: Math.floor(random() ** 2 * MAX_FAULTS) }, () =>
    drawFault(random),
  );
  const sale = drawSale(random, STOCK);
  const restored = random() < RESTORED_SHARE;
  const breaking = restored ? withRestore(faults, random) : faults;
  breaking.sort((a, b) => a.atMs - b.atMs);
  const flood = random() < FLOOD_SHARE;
  const drawn = { seed, scenario: "anything", shape, sale, rushMs: RUSH_MS } as const;
  const always = { shares: USUAL_SHARES, flood, targets: false };
  if (flood) return { ...drawn, ...always, actions: withGaps(actions), faults: [] };
  return { ...drawn, ...always, actions, faults: breaking };
}

/** Without the first numbers: a user with numbers waits until the gap is given up. */
function withGaps(actions: readonly Action[]): Action[] {
  const isFirst = (action: Action) => action.kind === "order" && action.body.seq === 1;
  return actions.filter((action) => !isFirst(action));
}

/** The ledger goes back to a backup, while Redis still knows what it had confirmed. */
function withRestore(faults: readonly Fault[], random: () => number): Fault[] {
  const { leastMs, mostMs } = FAULTS.ledger_restored;
  const restore: Fault = {
    ...{ kind: "ledger_restored", who: 0, by: 0, atMs: random() * RUSH_MS },
    forMs: leastMs + random() * (mostMs - leastMs),
  };
  return [...faults.filter(({ kind }) => !(kind in REDIS_FAULTS)), restore];
}

function drawSale(random: () => number, stock: Range): Sale {
  return {
    id: SALE_ID,
    name: "The rush",
    currency: "EUR",
    opensAtMs: START_MS - 60_000,
    closesAtMs: START_MS + 86_400_000,
    items: SKUS.map((sku, i) => ({
      sku,
      name: sku,
      category: at(CATEGORIES, i),
      priceMinor: 990 + 1_500 * i,
      limitPerUser: i % 2 === 0 ? 0 : 2,
      initial: between(stock, random),
    })),
  };
}

function drawActions(
  orders: number,
  shape: Shape,
  { users, rushMs, ordersMs, cancels }: Crowd,
  random: () => number,
): Action[] {
  const pick = (n: number) => Math.floor(random() * n);
  const actions: Action[] = [];
  const numbers = new Map<string, number>();
  for (let made = 0; made < orders; made++) {
    const user = `user-${pick(users)}`;
    const numbered = Number(user.slice(5)) % 3 === 0;
    const atMs = random() * ordersMs;
    const gateway = pick(shape.gateways);
    const seq = numbered ? (numbers.get(user) ?? 0) + 1 : 0;
    if (numbered) numbers.set(user, seq);
    if (numbered && random() < 0.08) {
      // Given up, or left out: then only the gap's end lets the later ones go.
      if (random() < 0.6) actions.push({ kind: "skip", atMs, gateway, user, seq });
      continue;
    }
    const id = uuidV7(START_MS + atMs, random);
    const body = drawBody(seq, random);
    actions.push({ kind: "order", atMs, gateway, user, id, body });
    const soon = () => Math.min(rushMs, atMs + random() ** 2 * 4_000);
    const away = () => pick(shape.gateways);
    if (random() < 0.2)
      actions.push({ kind: "order", atMs: soon(), gateway: away(), user, id, body });
    if (random() < 0.05) {
      const other = { ...body, metadata: { note: "altered" } };
      actions.push({ kind: "order", atMs: soon(), gateway: away(), user, id, body: other });
    }
    if (random() < cancels) {
      const before = random() < 0.2 ? Math.max(0, atMs - 500) : soon();
      actions.push({ kind: "cancel", atMs: before, gateway: away(), user, id });
    }
  }
  return actions.sort((a, b) => a.atMs - b.atMs);
}

function drawBody(seq: number, random: () => number): SentBody {
  const pick = (n: number) => Math.floor(random() * n);
  const first = pick(SKUS.length);
  const skus = [at(SKUS, first)];
  if (random() < 0.25) skus.push(at(SKUS, (first + 1 + pick(SKUS.length - 1)) % SKUS.length));
  return {
    saleId: SALE_ID,
    ...(seq > 0 ? { seq } : {}),
    currency: at(CURRENCIES, pick(CURRENCIES.length)),
    lines: skus.map((sku) => ({ sku, qty: 1 + pick(2) })),
    ...(random() < 0.05 ? { payment: "stub:decline" } : {}),
    ...(random() < 0.05 ? { maxTotal: 5 } : {}),
  };
}

const KINDS = Object.keys(FAULTS) as FaultKind[];
const TOTAL = KINDS.reduce((sum, kind) => sum + FAULTS[kind].weight, 0);

function drawFault(random: () => number): Fault {
  let left = random() * TOTAL;
  let kind = at(KINDS, 0);
  for (const candidate of KINDS) {
    kind = candidate;
    left -= FAULTS[candidate].weight;
    if (left < 0) break;
  }
  const { leastMs, mostMs } = FAULTS[kind];
  return {
    kind,
    atMs: random() * RUSH_MS,
    forMs: leastMs + random() ** 2 * (mostMs - leastMs),
    who: Math.floor(random() * 1_000),
    by: random() * 2 - 1,
  };
}
