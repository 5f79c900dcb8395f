// sluice stock: units per item, in Redis and in the ledger side by side. What Redis cannot report
// is unknown, not zero, and the command ends with 69.
import type { Command } from "commander";
import { and } from "../../core/domain/finding-words.ts";
import { type Sale, type Stock, totalOf } from "../../core/domain/sale.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { SettingError } from "../../core/settings/settings.ts";
import type { RedisStore } from "../../core/stores/redis.ts";
import { StockStore } from "../../core/stores/stock-store.ts";
import { shownUnits } from "../../gateway/http/stock-reader.ts";
import type { Ledger } from "../../ledger/contract.ts";
import { withLedger } from "../ledger.ts";
import { print, printJson } from "../output.ts";
import { openRedis } from "../roles/parts.ts";
import { table } from "../table.ts";
import { Unavailable } from "../usage.ts";

/** A sale's units. `items` is as GET /v1/sales/{sale}/stock shows it; null: Redis cannot tell. */
export interface SaleStock {
  readonly saleId: string;
  readonly items: readonly Stock[] | null;
  /** What is recorded; it follows Redis. */
  readonly ledger: readonly Stock[];
}

export function register(program: Command): void {
  program
    .command("stock")
    .description("show units per item: available, releasing, held and sold")
    .argument("[sale]", "only this sale")
    .option("--json", "print JSON", false)
    .action(show);
}

async function show(only: string | undefined, { json }: { json: boolean }): Promise<void> {
  await withLedger(async ({ ledger, settings }) => {
    const redis = await openRedis(realRuntime, settings, () => undefined);
    let answers = false;
    const found = await stockOf(only, ledger, redis).finally(() => {
      answers = redis.connected;
      return redis.close();
    });
    if (only !== undefined && found.length === 0)
      throw new SettingError(`no sale '${only}': sluice sales lists them`);
    if (json) printJson({ stock: found });
    else print(table(found.flatMap(rowsOf), { ledger: "ledger (available/held/sold)" }));
    const unknown = found.flatMap(({ saleId, items }) => (items === null ? [saleId] : []));
    if (unknown.length === 0) return;
    const why = answers ? "Redis does not have them yet" : "Redis does not answer";
    throw new Unavailable(`the units of ${and(unknown)} are unknown: ${why}`);
  });
}

export async function stockOf(
  only: string | undefined,
  ledger: Pick<Ledger, "sales" | "stock">,
  redis: RedisStore,
): Promise<SaleStock[]> {
  const store = new StockStore(redis);
  const sales = await ledger.sales(only === undefined ? undefined : [only]);
  return Promise.all(
    sales.map(async (sale) => {
      const recorded = await ledger.stock(sale.id);
      const look = () =>
        store.stock(
          sale.id,
          sale.items.map(({ sku }) => sku),
        );
      // Redis forgets a retired sale; nothing of it moves any more.
      const ask = redis.connected && !sale.retired;
      const live = ask ? await ignore(look(), "stock_look") : undefined;
      const units = sale.retired ? recorded : live && [...live.values()];
      const items = units ? shownUnits(units, knownOf(sale)).map(asRecorded(recorded)) : null;
      return { saleId: sale.id, items, ledger: recorded };
    }),
  );
}

/** Redis knows what was added and taken away only net. The ledger knows both, once it has them. */
function asRecorded(recorded: readonly Stock[]): (live: Stock) => Stock {
  const known = new Map(recorded.map((item) => [item.sku, item]));
  return (live) => {
    const own = known.get(live.sku);
    if (!own || totalOf(own) !== totalOf(live)) return live;
    const { corrected: _net, ...rest } = live;
    const taken = own.corrected === undefined ? {} : { corrected: own.corrected };
    return { ...rest, restocked: own.restocked, ...taken };
  };
}

function knownOf(sale: Sale) {
  return { initial: new Map(sale.items.map(({ sku, initial }) => [sku, initial])) };
}

function rowsOf({ saleId, items, ledger }: SaleStock) {
  const live = new Map(items?.map((item) => [item.sku, item]));
  return ledger.map((recorded) => {
    const { sku } = recorded;
    const now = live.get(sku);
    return {
      sale: saleId,
      sku,
      total: totalOf(recorded),
      available: now?.available ?? "?",
      releasing: now?.releasing ?? "?",
      held: now?.held ?? "?",
      sold: now?.sold ?? "?",
      ledger: `${recorded.available}/${recorded.held}/${recorded.sold}`,
    };
  });
}
