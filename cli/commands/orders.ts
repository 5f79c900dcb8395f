// sluice orders: the newest orders, those of a user, or the whole story of one, from the ledger.
import { type Command, Option } from "commander";
import { OPEN_STATES, type OrderState, TERMINAL_STATES } from "../../core/domain/outcome.ts";
import { nameOfUser, subjectOf, USER_RULE } from "../../core/domain/user-name.ts";
import { SettingError } from "../../core/settings/settings.ts";
import { rfc3339 } from "../../gateway/admin/sale-form.ts";
import { showOrder, showOrders, waitOf } from "../../gateway/http/read-orders.ts";
import type { Bill, Ledger, StoredOrder } from "../../ledger/contract.ts";
import { whole } from "../arguments.ts";
import { withLedger } from "../ledger.ts";
import { amountText, type OrderInFull, storyLines } from "../order-lines.ts";
import { print, printJson } from "../output.ts";
import { table } from "../table.ts";
import { UsageError } from "../usage.ts";

const MAX_LIMIT = 100;

/** Of orders that the ledger knows. */
const LISTED_STATES = [...OPEN_STATES, ...TERMINAL_STATES].filter((state) => state !== "accepted");

interface Options {
  readonly user?: string;
  readonly status?: OrderState;
  readonly sale?: string;
  readonly limit: number;
  readonly before?: string;
  readonly json: boolean;
}

export function register(program: Command): void {
  program
    .command("orders")
    .description("show one order's whole story, or list orders, newest first")
    .argument("[id]", "the order's id; --user is needed only if several users have it")
    .option("--user <name>", "whose orders")
    .addOption(new Option("--status <state>", "only those in this state").choices(LISTED_STATES))
    .option("--sale <id>", "only those of this sale")
    .option("--limit <n>", "how many at most", whole(1, MAX_LIMIT), 20)
    .option("--before <id>", "only orders older than this one: the next page")
    .option("--json", "print JSON: as GET /v1/admin/orders", false)
    .action((id: string | undefined, options: Options) =>
      id === undefined ? list(options) : showOne(id, options),
    );
}

function userOf(text: string): string {
  const user = nameOfUser(text);
  if (user === undefined) throw new UsageError(`--user must be ${USER_RULE}`);
  return user;
}

async function list(options: Options): Promise<void> {
  await withLedger(async ({ ledger }) => {
    const { orders, before } = await pageOf(ledger, options);
    const more = before === undefined ? {} : { before };
    if (options.json) printJson({ orders: await showOrders(ledger, orders), ...more });
    else {
      const bills = await ledger.bills(orders.map(({ user, id }) => ({ user, id })));
      print(table(orders.map((order, i) => rowOf(order, bills[i]))));
    }
    if (before !== undefined && !options.json)
      process.stderr.write(`older ones: add --before '${before}'\n`);
  });
}

/** A page looks through a bounded stretch of the ledger, so it may be short before the end. */
async function pageOf(ledger: Ledger, options: Options) {
  const { user, status, sale, limit, before } = options;
  const filter = {
    limit,
    ...(before === undefined ? {} : { before }),
    ...(status === undefined ? {} : { state: status }),
    ...(sale === undefined ? {} : { saleId: sale }),
  };
  if (user === undefined) return ledger.ordersOfAll(filter);
  return ledger.orderPage(userOf(user), filter);
}

function rowOf(o: StoredOrder, bill: Bill | undefined) {
  return {
    id: o.id,
    sale: o.saleId,
    seq: o.seq || "",
    status: o.state,
    user: subjectOf(o.user),
    items: o.lines.map((l) => `${l.qty}×${l.sku}`).join(" "),
    amount: bill === undefined ? "" : amountText(bill),
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

/** As GET /v1/admin/orders/{id} shows it. */
function jsonOf({ order, events, bill, story, saleCurrency }: OrderInFull) {
  const deliveries = story?.deliveries.map(({ atMs, ...rest }) => ({ at: rfc3339(atMs), ...rest }));
  return {
    ...showOrder(order, events, bill),
    ...waitOf(order, bill, saleCurrency),
    ...(story ? { ...story, deliveries } : {}),
  };
}
