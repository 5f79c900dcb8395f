// An operator's change of a sale from the command line: the same checks, results and refusals as
// over HTTP. It is on record, then in the ledger, then in Redis.
import { unroutedOf, unroutedText } from "../../core/domain/routing.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { SettingError } from "../../core/settings/settings.ts";
import type { RedisStore } from "../../core/stores/redis.ts";
import { StockStore } from "../../core/stores/stock-store.ts";
import { refusalOf, SELLS, SOLD, saleOf } from "../../gateway/admin/changes.ts";
import { type Problem, Refused, titleOf } from "../../gateway/http/problem.ts";
import { flawsOf, type Shape } from "../../gateway/http/shape.ts";
import type { SaleOperation } from "../../ledger/contract.ts";
import { type OpenLedger, withLedger } from "../ledger.ts";
import { openRedis } from "../roles/parts.ts";
import { UsageError } from "../usage.ts";
import { applyOperation } from "./apply-operation.ts";
import { doneWords, refusedWords } from "./change-words.ts";
import { commandLine, onRecord } from "./on-record.ts";

/** As HTTP answers a change. */
export interface Changed {
  readonly saleId: string;
  readonly ref: string;
  readonly result: "done" | "repeated";
  /** Whether Redis has it already; otherwise it follows as soon as possible. */
  readonly applied: boolean;
  readonly warnings?: readonly string[];
}

export interface Done {
  readonly changed: Changed;
  /** What was done, as a line. */
  readonly words: string;
}

/** The ledger, or Redis, did not make the change. The audit has the status that HTTP would give. */
class ChangeRefused extends SettingError {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/**
 * `action`: as the audit names it, such as `sales.restock`. `make` gets Redis's clock, Unix ms.
 * `named`: the operator gave the reference.
 */
export async function changeSale(
  action: string,
  make: (nowMs: number) => SaleOperation,
  named = true,
): Promise<Done> {
  const changed = Promise.withResolvers<Done>();
  await withLedger(async (open) => {
    const redis = await openRedis(realRuntime, open.settings, () => undefined);
    try {
      const operation = make(await clockOf(redis));
      const deed = { action, target: saleOf(operation), detail: { ...operation } };
      changed.resolve(
        await onRecord(open.ledger, deed, () => apply(open, redis, operation, named)),
      );
    } finally {
      await redis.close();
    }
  });
  return changed.promise;
}

/** Sales open and close by Redis's clock. Without Redis, this machine's has to do. */
async function clockOf(redis: RedisStore): Promise<number> {
  const asked = redis.connected
    ? await ignore(
        redis.run((client) => client.time()),
        "clock_sync",
      )
    : undefined;
  if (!asked) return realRuntime.wallMs();
  const [seconds, micros] = asked.map(Number) as [number, number];
  return Math.floor(seconds * 1_000 + micros / 1_000);
}

async function apply(
  { ledger }: OpenLedger,
  redis: RedisStore,
  operation: SaleOperation,
  named: boolean,
): Promise<Done> {
  const saleId = saleOf(operation);
  const result = await ledger.operate(operation, commandLine());
  const [sale] = await ledger.sales([saleId]);
  if (result !== "done" && result !== "repeated")
    throw new ChangeRefused(
      refusedWords(operation, result, { sale, named }),
      refusalOf(result)?.status ?? 409,
    );
  const store = new StockStore(redis);
  const applied = await applyOperation(realRuntime, ledger, store, operation).then(
    () => true,
    () => false, // the ledger has it, and a worker applies it
  );
  if (operation.kind === "correct" && (await ledger.correction(operation.ref)) === "refused")
    throw new ChangeRefused(refusedWords(operation, "not_enough", { sale, named }), SOLD.status);
  const warnings = SELLS.has(operation.kind) ? await warningsOf(ledger, saleId) : [];
  const changed = {
    ...{ saleId, ref: operation.ref, result, applied },
    ...(warnings.length > 0 ? { warnings } : {}),
  };
  return { changed, words: doneWords(operation, sale) };
}

/** What the operator should know before the sale opens. */
async function warningsOf(ledger: OpenLedger["ledger"], saleId: string): Promise<string[]> {
  const [sales, routes] = await Promise.all([ledger.sales([saleId]), ledger.routes()]);
  return unroutedOf(sales, routes, realRuntime.wallMs()).map(unroutedText);
}

/** A refusal as one line: `items[3].sku: Missing field`. */
function textOf({ field, code, detail }: Problem): string {
  return [field, detail ?? titleOf(code)].filter((part) => part !== undefined).join(": ");
}

/** Flaws of a file that are shown; the rest is counted. */
const MAX_FLAWS = 12;

/** Names every flaw of a file's content; throws a usage error if there is one. */
export function mustFit(shape: Shape, value: unknown, file: string): void {
  const flaws = flawsOf(shape, value).map(textOf);
  if (flaws.length === 0) return;
  const more = flaws.length - MAX_FLAWS;
  const lines = [...flaws.slice(0, MAX_FLAWS), ...(more > 0 ? [`… and ${more} more`] : [])];
  const [only] = lines;
  throw new UsageError(
    lines.length === 1 ? `'${file}': ${only}` : `'${file}':\n  ${lines.join("\n  ")}`,
  );
}

/** Reads what the caller typed; a refusal becomes an error about usage. */
export function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof Refused) throw new UsageError(textOf(error.problem));
    throw error;
  }
}
