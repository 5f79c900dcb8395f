// sluice orders: a user's orders, or one order with its events, from the ledger.
import type { Command } from "commander";
import { plainJson } from "../../core/domain/plain.ts";
import { traceIdOf } from "../../core/domain/trace.ts";
import { nameOfUser, USER_RULE } from "../../core/domain/user-name.ts";
import { SettingError } from "../../core/settings/settings.ts";
import { rfc3339 } from "../../gateway/admin/sale-form.ts";
import { showOrder } from "../../gateway/http/read-orders.ts";
import type { OrderEvent } from "../../ledger/contract.ts";
import { whole } from "../arguments.ts";
import { withLedger } from "../ledger.ts";
import { table } from "../table.ts";

const MAX_LIMIT = 100;

interface Options {
  readonly user: string;
  readonly limit: number;
  readonly json: boolean;
}

export function register(program: Command): void {
  program
    .command("orders")
    .description("list a user's orders, newest first, or show one with its events")
    .argument("[id]")
    .requiredOption("--user <name>", "whose orders")
    .option("--limit <n>", "how many at most", whole(1, MAX_LIMIT), 20)
    .option("--json", "print JSON", false)
    .action(show);
}

async function show(id: string | undefined, { user: text, limit, json }: Options): Promise<void> {
  const user = nameOfUser(text);
  if (user === undefined) throw new SettingError(`--user must be ${USER_RULE}`);
  await withLedger(async ({ ledger }) => {
    const found =
      id === undefined ? await ledger.ordersOf(user, { limit }) : [await ledger.order(user, id)];
    const orders = found.filter((order) => order !== undefined);
    const events = id === undefined ? [] : await ledger.events(user, id);
    if (json) {
      const shown = orders.map((order) => showOrder(order));
      const one = { order: shown[0] ?? null, events: shownAll(events) };
      process.stdout.write(`${plainJson(id === undefined ? shown : one)}\n`);
      return;
    }
    const rows = orders.map((o) => ({
      id: o.id,
      sale: o.saleId,
      seq: o.seq || "",
      status: o.state,
      ...(id !== undefined && o.traceparent !== "" ? { trace: traceIdOf(o.traceparent) } : {}),
      items: o.lines.map((l) => `${l.qty}×${l.sku}`).join(" "),
      accepted: new Date(o.acceptedAtMs).toISOString(),
      "ms to decide": o.decidedAtMs === undefined ? "-" : o.decidedAtMs - o.acceptedAtMs,
    }));
    process.stdout.write(table(rows));
    if (events.length > 0) process.stdout.write(`\n${table(shownAll(events))}`);
  });
}

function shownAll(events: readonly OrderEvent[]) {
  return events.map(({ atMs, event, detail }) => ({ at: rfc3339(atMs), event, detail }));
}
