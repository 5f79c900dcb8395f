// sluice orders: a user's orders, or the whole story of one, from the ledger.
import type { Command } from "commander";
import { nameOfUser, subjectOf, USER_RULE } from "../../core/domain/user-name.ts";
import { SettingError } from "../../core/settings/settings.ts";
import { rfc3339 } from "../../gateway/admin/sale-form.ts";
import { showOrder, waitOf } from "../../gateway/http/read-orders.ts";
import type { Ledger, StoredOrder } from "../../ledger/contract.ts";
import { whole } from "../arguments.ts";
import { withLedger } from "../ledger.ts";
import { type OrderInFull, storyLines } from "../order-lines.ts";
import { print, printJson } from "../output.ts";
import { table } from "../table.ts";
import { UsageError } from "../usage.ts";

const MAX_LIMIT = 100;

interface Options {
  readonly user?: string;
  readonly limit: number;
  readonly before?: string;
  readonly json: boolean;
}

export function register(program: Command): void {
  program
    .command("orders")
    .description("show one order with its whole story, or list a user's orders, newest first")
    .argument("[id]", "the order; it is found without its user too")
    .option("--user <name>", "whose orders")
    .option("--limit <n>", "how many at most", whole(1, MAX_LIMIT), 20)
    .option("--before <id>", "only orders older than this one: the next page")
    .option("--json", "print JSON: as GET /v1/orders", false)
    .action((id: string | undefined, options: Options) =>
      id === undefined ? list(options) : showOne(id, options),
    );
}

function userOf(text: string): string {
  const user = nameOfUser(text);
  if (user === undefined) throw new UsageError(`--user must be ${USER_RULE}`);
  return user;
}

async function list({ user: text, limit, before, json }: Options): Promise<void> {
  if (text === undefined)
    throw new UsageError("name an order's id, or a user: sluice orders --user NAME");
  const user = userOf(text);
  await withLedger(async ({ ledger }) => {
    const older = before === undefined ? {} : { before };
    const orders = await ledger.ordersOf(user, { limit, ...older });
    const next = orders.length === limit ? orders.at(-1)?.id : undefined;
    const more = next === undefined ? {} : { before: next };
    if (json) return printJson({ orders: orders.map((order) => showOrder(order)), ...more });
    print(table(orders.map(rowOf)));
    if (next !== undefined)
      process.stderr.write(`older ones: sluice orders --user ${text} --before ${next}\n`);
  });
}

function rowOf(o: StoredOrder) {
  return {
    id: o.id,
    sale: o.saleId,
    seq: o.seq || "",
    status: o.state,
    items: o.lines.map((l) => `${l.qty}×${l.sku}`).join(" "),
    accepted: rfc3339(o.acceptedAtMs),
    "ms to decide": o.decidedAtMs === undefined ? "-" : o.decidedAtMs - o.acceptedAtMs,
  };
}

/** Users draw their ids themselves, so one id may be that of several orders. */
async function showOne(id: string, { user: text, json }: Options): Promise<void> {
  await withLedger(async ({ ledger }) => {
    const found =
      text === undefined ? await ledger.ordersWithId(id) : [await ledger.order(userOf(text), id)];
    const orders = found.filter((order) => order !== undefined);
    const [order] = orders;
    if (!order) throw new SettingError(`no order ${id} is in the ledger`);
    if (orders.length > 1) throw new UsageError(`${severalText(id, orders)}: add --user NAME`);
    const full = await inFull(ledger, order);
    if (json) printJson(jsonOf(full));
    else print(storyLines(full));
  });
}

function severalText(id: string, orders: readonly StoredOrder[]): string {
  const users = orders.map(({ user }) => subjectOf(user)).join(", ");
  return `order ${id} exists for several users (${users})`;
}

async function inFull(ledger: Ledger, order: StoredOrder): Promise<OrderInFull> {
  const { user, id } = order;
  const [sale] = await ledger.sales([order.saleId]);
  return {
    order,
    events: await ledger.events(user, id),
    bill: await ledger.bill(user, id),
    story: await ledger.orderStory(user, id),
    saleCurrency: sale?.currency,
  };
}

/** `order` is as GET /v1/orders/{id} shows it; the rest is for operators. */
function jsonOf({ order, events, bill, story, saleCurrency }: OrderInFull) {
  return {
    order: { ...showOrder(order, events, bill), ...waitOf(order, bill, saleCurrency) },
    ...story,
    details: events.map(({ atMs, event, detail }) => ({ at: rfc3339(atMs), event, detail })),
  };
}
