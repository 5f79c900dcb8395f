// The operator's overview: the roles' own reports, the owners of shards, Redis's stock, and what
// the ledger knows. A source that cannot be read leaves its last known values, with their time.
import { Looks, workersOf } from "../../core/domain/figures.ts";
import { flowOf, orderRates, type Reported } from "../../core/domain/order-rates.ts";
import type { Overview, OverviewSale } from "../../core/domain/overview.ts";
import type { WaitingRate } from "../../core/domain/rate.ts";
import type { RoleReport } from "../../core/domain/report.ts";
import type { Sale } from "../../core/domain/sale.ts";
import { Selling } from "../../core/domain/selling.ts";
import { owedOf, verdict } from "../../core/domain/verdict.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { Members } from "../../core/stores/members.ts";
import { allRates, type HeldRate, waitingRates } from "../../core/stores/rate-store.ts";
import type { RedisStore } from "../../core/stores/redis.ts";
import { type LiveStock, StockStore } from "../../core/stores/stock-store.ts";
import type { Ledger } from "../../ledger/contract.ts";
import { Board, DeadMemory, LastKnown, LostRoles, type Present } from "./last-known.ts";
import { type Paid, RevenueMemory } from "./revenue-memory.ts";
import { routingOf, ServiceMemory } from "./routing.ts";
import { Since } from "./since.ts";
import { Standing } from "./standing.ts";
import { troubledOf } from "./troubled-webhooks.ts";

export interface OverviewOptions {
  readonly runtime: Runtime;
  readonly redis: RedisStore;
  readonly ledger: OverviewLedger;
  /** MB; 0: as Redis reports. */
  readonly redisMemory: number;
  readonly rateMaxAgeMs: number;
  readonly withoutGateway?: readonly string[];
  /** Redis's clock as far as it is known, Unix ms; absent: this machine's. */
  readonly now?: () => number;
  /** The gateway's own report: known even while Redis is away. */
  readonly own?: () => RoleReport;
}

/** What is asked of the ledger. */
export type OverviewLedger = Pick<
  Ledger,
  "shards" | "sales" | "halt" | "routes" | "revenueAfter" | "salesSince"
> & { readonly webhooks: Pick<Ledger["webhooks"], "list"> };

/** Maximum number of sales; those that closed last are omitted first. */
const MAX_SALES = 20;
/** Requests within this time share an answer. */
const FRESH_MS = 250;
/** A service that takes longer is away; the client has its own time-out. */
const ANSWER_MS = 600;

/** One overview without memory: what cannot be read is unknown. */
export function overview(options: OverviewOptions): Promise<Overview> {
  return new Overviews(options, true).look();
}

/** Successive overviews; each knows what the ones before it knew. */
export class Overviews {
  private readonly known = {
    roles: new LastKnown<{
      readonly owners: Overview["owners"];
      readonly present: readonly Present[];
    }>(),
    memory: new LastKnown<{ usedBytes: number; maxBytes: number }>(),
    rates: new LastKnown<readonly [readonly HeldRate[], readonly WaitingRate[]]>(),
    sales: new LastKnown<readonly Sale[]>(),
    halt: new LastKnown<{ readonly reason: string; readonly atMs: number } | null>(),
    routes: new LastKnown<Awaited<ReturnType<Ledger["routes"]>>>(),
    webhooks: new LastKnown<Overview["webhooks"]>(),
    revenue: new LastKnown<Paid>(),
    owed: new LastKnown<number>(),
    dead: new DeadMemory(),
    services: new ServiceMemory(),
  };
  private stock = new Map<string, LastKnown<ReadonlyMap<string, LiveStock>>>();
  private readonly lost = new LostRoles();
  private readonly looks = new Looks<Reported>();
  private readonly selling = new Selling();
  private readonly since = new Since();
  private readonly board: Board;
  private readonly standing: Standing | undefined;
  private readonly revenue: RevenueMemory;
  private last: { readonly atMs: number; readonly answer: Promise<Overview> } | undefined;

  /** `once`: there is only this overview, so only what is wrong now can be reported. */
  constructor(
    private readonly options: OverviewOptions,
    once = false,
  ) {
    this.revenue = new RevenueMemory(options.ledger, options.runtime.monotonicMs);
    this.board = new Board(options.runtime.monotonicMs);
    this.standing = once ? undefined : new Standing(options.runtime.monotonicMs);
  }

  /** Never rejects. */
  look(): Promise<Overview> {
    const nowMs = this.options.runtime.monotonicMs();
    if (!this.last || nowMs - this.last.atMs > FRESH_MS)
      this.last = { atMs: nowMs, answer: this.made() };
    return this.last.answer;
  }

  private async made(): Promise<Overview> {
    const { runtime, redis, ledger, redisMemory: limit } = this.options;
    const { known } = this;
    const [everyone, memory, held, sales, halt, routes, endpoints, revenue] = await Promise.all([
      this.ask(new Members(redis).everyone()),
      this.ask(redisMemory(redis, limit)),
      this.ask(Promise.all([allRates(redis), waitingRates(redis)])),
      this.ask(ledger.sales()),
      this.ask(ledger.halt().then((found) => found ?? null)),
      this.ask(ledger.routes()),
      this.ask(ledger.webhooks.list()),
      this.ask(this.revenue.look()),
    ]);
    const atMs = everyone?.nowMs ?? (this.options.now ?? runtime.wallMs)();
    const refuses = everyone && redis.state !== "up" && redis.state !== "away" ? redis.state : null;
    const own = this.options.own?.();
    const listed = everyone?.running.map(({ report, endsMs }) => ({
      report: JSON.parse(report) as RoleReport,
      endsMs,
    }));
    const present = refuses === null && this.board.isWhole(listed, own?.id) ? listed : undefined;
    const owners = [...(everyone?.owners ?? [])].map(([shard, worker]) => ({ shard, worker }));
    if (present) this.lost.look(present, atMs);
    const shownRoles = known.roles.keep(present && { owners, present }, atMs);
    const shown = shownOf(known.sales.keep(sales, atMs) ?? []);
    const unasked = [...(present ? [] : ["redis"]), ...(sales ? [] : ["ledger"])];
    const roles = withOwn(shownRoles?.present ?? [], own);
    const stock = await this.stockOf(shown, everyone !== undefined, atMs);
    const paid = known.revenue.keep(revenue, atMs);
    const reported = { atMs, unasked, roles };
    const before = this.looks.before(reported);
    const orders = orderRates(before, reported);
    const seen = known.rates.keep(held, atMs);
    const rates = seen?.[0] ?? [];
    const kept = known.memory.keep(memory, atMs);
    const dead = known.dead.look(workersOf(reported), atMs);
    const away = brokersAway(reported);
    const counts = known.services.look(workersOf(reported), new Set(away));
    const facts = {
      ...reported,
      unasked: [...unasked, ...away.map((region) => `broker ${region}`)],
      redis: {
        state: everyone ? ("up" as const) : ("away" as const),
        refuses,
        usedBytes: kept?.usedBytes ?? null,
        maxBytes: kept?.maxBytes ?? null,
      },
      ledger: { state: sales ? ("up" as const) : ("away" as const) },
      halt: known.halt.keep(halt, atMs) ?? null,
      shardCount: ledger.shards,
      owners: shownRoles?.owners ?? [],
      sales: stock.map((sale) => ({ ...sale, revenue: paid?.of(sale.id) ?? null })),
      lost: this.lost.list(atMs),
      dead,
      routing: routingOf(shown, known.routes.keep(routes, atMs), { roles, counts }, atMs),
      webhooks: known.webhooks.keep(endpoints && troubledOf(endpoints, atMs), atMs) ?? null,
      rates:
        rates.length === 0
          ? null
          : {
              pairs: rates.length,
              newestAtMs: Math.max(...rates.map((r) => r.atMs)),
              oldest: oldestOf(rates, atMs),
            },
      ratesWaiting: seen?.[1] ?? null,
      revenue: paid?.all ?? null,
      orders,
      flow: flowOf(before, reported, orders),
      asOf: this.asOf(),
    };
    // While the shard of the worker that counts them moves, nobody does.
    const owed = known.owed.keep(owedOf(workersOf(reported)), atMs);
    const found = this.since.fill(verdict({ ...facts, owed }, this.options), atMs);
    return { ...facts, verdict: this.standing ? this.standing.of(found) : found };
  }

  private asOf(): Overview["asOf"] {
    const { known } = this;
    return {
      roles: known.roles.asOfMs,
      memory: known.memory.asOfMs,
      rates: known.rates.asOfMs,
      sales: known.sales.asOfMs,
      halt: known.halt.asOfMs,
      routes: known.routes.asOfMs,
      webhooks: known.webhooks.asOfMs,
      revenue: known.revenue.asOfMs,
      dead: known.dead.asOfMs,
    };
  }

  /** The sales with their units, as Redis gives them now or gave them last. */
  private async stockOf(
    sales: readonly Sale[],
    redisUp: boolean,
    atMs: number,
  ): Promise<Omit<OverviewSale, "revenue">[]> {
    const store = new StockStore(this.options.redis);
    const kept = new Map<string, LastKnown<ReadonlyMap<string, LiveStock>>>();
    const looks = sales.map(async ({ id, items }) => {
      const last = this.stock.get(id) ?? new LastKnown();
      kept.set(id, last);
      const skus = items.map(({ sku }) => sku);
      return last.keep(redisUp ? await this.ask(store.stock(id, skus)) : undefined, atMs);
    });
    const units = await Promise.all(looks);
    this.stock = kept;
    if (redisUp) this.selling.look(byName(sales, units), atMs);
    return sales.map(({ id, name, opensAtMs, closesAtMs, items }, i) => ({
      ...{ id, name, opensAtMs, closesAtMs, stockAsOfMs: kept.get(id)?.asOfMs ?? null },
      items: items.map((item) => {
        const live = units[i]?.get(item.sku);
        const rate = this.selling.figures(`${id} ${item.sku}`, redisUp ? live : undefined, {
          atMs,
          closesAtMs,
        });
        return { name: item.name, ...(live ?? NO_UNITS), sku: item.sku, ...rate };
      }),
    }));
  }

  private ask<T>(question: Promise<T>): Promise<T | undefined> {
    return Promise.race([
      ignore(question, "overview_look"),
      this.options.runtime.sleep(ANSWER_MS).then(() => undefined),
    ]);
  }
}

const NO_UNITS = { total: null, available: null, releasing: null, held: null, sold: null };

function byName(
  sales: readonly Sale[],
  units: readonly (ReadonlyMap<string, LiveStock> | undefined)[],
): Map<string, LiveStock> {
  return new Map(
    sales.flatMap(({ id }, i) => [...(units[i] ?? [])].map(([sku, u]) => [`${id} ${sku}`, u])),
  );
}

function shownOf(sales: readonly Sale[]): readonly Sale[] {
  const living = sales.filter((sale) => !sale.retired);
  return living.toSorted((a, b) => b.closesAtMs - a.closesAtMs).slice(0, MAX_SALES);
}

/** By kind and name; the gateway's own report is newer than the one in Redis. */
function withOwn(present: readonly Present[], own: RoleReport | undefined): RoleReport[] {
  const others = present.map(({ report }) => report).filter(({ id }) => id !== own?.id);
  return [...others, ...(own ? [own] : [])].toSorted(
    (a, b) => a.kind.localeCompare(b.kind) || a.id.localeCompare(b.id),
  );
}

const DAY_MS = 86_400_000;

/** A pair that had no rate for a day is no longer in use. */
function oldestOf(
  rates: readonly HeldRate[],
  nowMs: number,
): { pair: string; atMs: number } | undefined {
  const [oldest] = rates
    .filter(({ atMs }) => nowMs - atMs < DAY_MS)
    .toSorted((a, b) => a.atMs - b.atMs);
  return oldest && { pair: oldest.pair, atMs: oldest.atMs };
}

/** Regions that no worker can ask about dead letters. */
function brokersAway(reported: Pick<Overview, "roles">): string[] {
  const states = workersOf(reported).flatMap(({ brokers }) => brokers);
  const up = new Set(states.filter((b) => b.state !== "away").map((b) => b.region));
  return [...new Set(states.map((b) => b.region))].filter((region) => !up.has(region));
}

/** Redis's memory use, and its limit. */
export async function redisMemory(
  redis: RedisStore,
  limitMb: number,
): Promise<{ usedBytes: number; maxBytes: number }> {
  const info = await redis.run((client) => client.info("memory"));
  const value = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, "m").exec(info)?.[1] ?? 0);
  return {
    usedBytes: value("used_memory"),
    maxBytes: limitMb > 0 ? limitMb * 2 ** 20 : value("maxmemory"),
  };
}
