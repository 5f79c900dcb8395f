// sluice sales: lists the sales, and creates, opens, closes, restocks and edits them.
import { existsSync } from "node:fs";
import type { Command } from "commander";
import { messageOf } from "../../core/domain/message-of.ts";
import { MAX_MONEY_MINOR } from "../../core/domain/order.ts";
import { plainLines } from "../../core/domain/plain.ts";
import { unroutedOf, unroutedText } from "../../core/domain/routing.ts";
import { MAX_UNITS_PER_ITEM, type Sale } from "../../core/domain/sale.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import {
  NEW_ITEM,
  NEW_SALE,
  REASON,
  readItem,
  readSale,
  rfc3339,
  showSale,
} from "../../gateway/admin/sale-form.ts";
import { read } from "../../gateway/http/shape.ts";
import type { ItemOperation, Ledger, SaleOperation } from "../../ledger/contract.ts";
import { time, whole } from "../arguments.ts";
import { withLedger } from "../ledger.ts";
import { changeSale, type Done, mustFit, reading } from "../operator/sale-changes.ts";
import { print, printJson } from "../output.ts";
import { table } from "../table.ts";
import { UsageError } from "../usage.ts";

/** As over HTTP: every gateway shows a price before the first order that pays it. */
const PRICE_LEAD_MS = 5_000;
const UNITS = whole(1, MAX_UNITS_PER_ITEM);
const MINOR = whole(0, MAX_MONEY_MINOR, " of minor units: 3500 for 35.00 EUR");

interface Said {
  readonly ref?: string;
  readonly json: boolean;
}

interface Item extends Said {
  readonly reason: string;
}

interface Edit extends Item {
  readonly price?: number;
  readonly from?: number;
  readonly limitPerUser?: number;
  readonly withdraw: boolean;
  readonly offer: boolean;
}

export function register(program: Command): void {
  const sales = program.command("sales").description("list, create, open, close and edit sales");
  sales
    .command("list", { isDefault: true })
    .description("list the sales and their windows")
    .option("--json", "print JSON: as GET /v1/admin/sales", false)
    .action(({ json }: Said) => withLedger(({ ledger }) => list(ledger, json)));
  const change = (command: Command) =>
    command
      .option(
        "--ref <text>",
        "your reference for the change: with the same one, it is made only once",
      )
      .option("--json", "print JSON: as over HTTP", false);
  change(sales.command("create <file>"))
    .description("create a sale from a JSON file, or from standard input ('-')")
    .option("--dry-run", "check the file and change nothing", false)
    .action(create);
  change(sales.command("open <sale>"))
    .description("open the sale, now or at a given time")
    .option("--at <time>", "when, such as 2027-01-31T10:00:00Z", time)
    .option("--closes-at <time>", "and when it closes", time)
    .action(open);
  change(sales.command("close <sale>"))
    .description("close the sale, now or at a given time")
    .option("--at <time>", "when, such as 2027-01-31T10:00:00Z", time)
    .action(close);
  change(sales.command("restock <sale> <sku>"))
    .description("add units to an item")
    .argument("<units>", "how many", UNITS)
    .action(restock);
  registerItems(sales, change);
}

function registerItems(sales: Command, change: (command: Command) => Command): void {
  const item = (command: Command) =>
    change(command).requiredOption("--reason <text>", "why, for the audit");
  item(sales.command("correct <sale> <sku>"))
    .description("take units away, never more than are free")
    .argument("<units>", "how many", UNITS)
    .action((saleId: string, sku: string, units: number, said: Item) =>
      changeItem("correct", saleId, said, () => ({ sku, units })),
    );
  item(sales.command("add <sale> <file>"))
    .description("add an item from a JSON file, or from standard input ('-')")
    .action(add);
  item(sales.command("edit <sale> <sku>"))
    .description("change an item's price or limit, withdraw it, or offer it again")
    .option("--price <minor>", "the new price, in minor units", MINOR)
    .option("--from <time>", "with --price: for orders from then on; default: in 5 seconds", time)
    .option("--limit-per-user <n>", "the new limit per user", whole(0, MAX_UNITS_PER_ITEM))
    .option("--withdraw", "stop new orders for it", false)
    .option("--offer", "offer a withdrawn item again", false)
    .action(edit);
}

async function list(ledger: Ledger, json: boolean): Promise<void> {
  const sales = await ledger.sales();
  const nowMs = realRuntime.wallMs();
  if (json) {
    const shown = sales.map(async (s) => ({
      ...showSale(s, nowMs),
      stock: await ledger.stock(s.id),
    }));
    printJson({ sales: await Promise.all(shown) });
  } else print(table(sales.map(rowOf)));
  for (const found of unroutedOf(sales, await ledger.routes(), nowMs))
    process.stderr.write(plainLines(`sale ${found.saleId}: ${unroutedText(found)}\n`));
}

function rowOf({ id, name, opensAtMs, closesAtMs, items }: Sale) {
  const window = { opens: rfc3339(opensAtMs), closes: rfc3339(closesAtMs) };
  return { sale: id, name, ...window, items: items.length };
}

async function create(file: string, said: Said & { readonly dryRun: boolean }): Promise<void> {
  const value = await jsonIn(file);
  mustFit(NEW_SALE, value, file);
  const sale = reading(() => readSale(value));
  if (said.dryRun) {
    if (said.json) printJson(showSale(sale, realRuntime.wallMs()));
    else print(table([rowOf(sale)]));
    return;
  }
  // A sale is created once under its name, so the name serves as its reference.
  const ref = said.ref ?? `create ${sale.id}`;
  const named = said.ref !== undefined;
  report(await changeSale("sales.create", () => ({ kind: "create", ref, sale }), named), said);
}

async function open(
  saleId: string,
  { at, closesAt, ...said }: Said & { readonly at?: number; readonly closesAt?: number },
): Promise<void> {
  const made = (nowMs: number): SaleOperation => {
    const atMs = at ?? nowMs;
    if (closesAt !== undefined && closesAt <= atMs)
      throw new UsageError("--closes-at must be later than the sale opens");
    const end = closesAt === undefined ? {} : { closesAtMs: closesAt };
    return { kind: "open", ref: refOf(said), saleId, atMs, ...end };
  };
  report(await changeSale("sales.open", made), said);
}

async function close(saleId: string, { at, ...said }: Said & { at?: number }): Promise<void> {
  const made = (nowMs: number): SaleOperation => {
    return { kind: "close", ref: refOf(said), saleId, atMs: at ?? nowMs };
  };
  report(await changeSale("sales.close", made), said);
}

async function restock(saleId: string, sku: string, units: number, said: Said): Promise<void> {
  const operation: SaleOperation = { kind: "restock", ref: refOf(said), saleId, sku, units };
  report(await changeSale("sales.restock", () => operation), said);
}

async function add(saleId: string, file: string, said: Item): Promise<void> {
  const value = await jsonIn(file);
  mustFit(NEW_ITEM, value, file);
  const item = reading(() => readItem(value));
  await changeItem("add", saleId, said, () => ({ item }));
}

async function edit(saleId: string, sku: string, said: Edit): Promise<void> {
  const { price, from, limitPerUser, withdraw, offer } = said;
  const chosen = [price !== undefined, limitPerUser !== undefined, withdraw, offer];
  if (chosen.filter(Boolean).length !== 1)
    throw new UsageError("choose one of --price, --limit-per-user, --withdraw and --offer");
  if (from !== undefined && price === undefined) throw new UsageError("--from goes with --price");
  if (limitPerUser !== undefined)
    return changeItem("limit", saleId, said, () => ({ sku, limitPerUser }));
  if (price === undefined)
    return changeItem(withdraw ? "withdraw" : "offer", saleId, said, () => ({ sku }));
  return changeItem("price", saleId, said, (nowMs) => {
    const fromMs = from ?? nowMs + PRICE_LEAD_MS;
    if (fromMs < nowMs)
      throw new UsageError("--from must not be in the past: accepted orders keep their price");
    return { sku, priceMinor: price, fromMs };
  });
}

async function changeItem(
  kind: ItemOperation["kind"],
  saleId: string,
  said: Item,
  members: (nowMs: number) => object,
): Promise<void> {
  const { reason } = reading(() => read(REASON, { reason: said.reason }));
  const of = { kind, ref: refOf(said), saleId, reason };
  const made = (nowMs: number) => ({ ...of, ...members(nowMs) }) as ItemOperation;
  report(await changeSale(`items.${kind}`, made), said);
}

function refOf({ ref }: Said): string {
  if (ref !== undefined && !/^[\x21-\x7e]{1,128}$/.test(ref))
    throw new UsageError("--ref must be 1 to 128 printable characters without spaces");
  return ref ?? realRuntime.uuid();
}

function report({ changed, words }: Done, { json }: { readonly json: boolean }): void {
  const { result, applied, warnings = [] } = changed;
  const before = result === "repeated" ? " (done before; nothing has changed now)" : "";
  const later = applied ? "" : "; Redis gets it as soon as it can";
  if (json) printJson(changed);
  else print(plainLines(`${words}${before}${later}\n`));
  for (const warning of warnings) process.stderr.write(plainLines(`sluice: ${warning}\n`));
}

async function jsonIn(file: string): Promise<unknown> {
  if (file !== "-" && !existsSync(file)) throw new UsageError(`there is no file '${file}'`);
  const text = await (file === "-" ? Bun.stdin : Bun.file(file)).text().catch((error) => {
    throw new UsageError(`'${file}' cannot be read: ${messageOf(error)}`);
  });
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`'${file}' is not JSON: ${messageOf(error)}`);
  }
}
