// sluice webhooks: the receivers of events. The role `sluice sender` delivers to them.
import type { Command } from "commander";
import { FEED_TYPES } from "../../core/domain/feed-event.ts";
import { readCursor } from "../../core/domain/feed-position.ts";
import { plainJson } from "../../core/domain/plain.ts";
import { flawOfUrl, isFeedType, MAX_ENDPOINTS } from "../../core/domain/webhook-endpoint.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { SettingError } from "../../core/settings/settings.ts";
import { newWebhookSecret, show, showDelivery } from "../../gateway/admin/admin-webhooks.ts";
import type { Ledger } from "../../ledger/contract.ts";
import { whole } from "../arguments.ts";
import { withLedger } from "../ledger.ts";
import { commandLine, onRecord } from "../operator/on-record.ts";
import { table } from "../table.ts";
import { UsageError } from "../usage.ts";

const LOG_LINES = 50;
const MAX_LOG_LINES = 10_000;

interface Json {
  readonly json: boolean;
}

export function register(program: Command): void {
  const webhooks = program
    .command("webhooks")
    .description("add, list, pause, resume or remove receivers of events");
  webhooks
    .command("list", { isDefault: true })
    .description("list the receivers and their state")
    .option("--json", "print JSON", false)
    .action(({ json }: Json) => withLedger(({ ledger }) => list(ledger, json)));
  webhooks
    .command("add <url>")
    .description("send events to the URL from now on, and print its secret")
    .option("--types <list>", `only these, separated by commas: ${FEED_TYPES.join(", ")}`, "")
    .option("--after <position>", "start, end, or a cursor of /v1/feed", "end")
    .option("--json", "print JSON", false)
    .action(add);
  for (const what of ["pause", "resume", "remove"] as const)
    webhooks
      .command(`${what} <id>`)
      .description(DOES[what])
      .action((id: string) => change(what, id));
  webhooks
    .command("log <id>")
    .description("show the latest deliveries")
    .option("--limit <n>", "how many", whole(1, MAX_LOG_LINES), LOG_LINES)
    .option("--json", "print JSON", false)
    .action((id: string, { limit, json }: Json & { limit: number }) => showLog(id, limit, json));
  webhooks
    .command("redeliver <id> <event>")
    .description("send an event of the log again, under the same id")
    .action(redeliver);
}

const DOES = {
  pause: "send nothing until it is resumed; events wait in the ledger",
  resume: "continue where it was paused",
  remove: "forget the receiver, its waiting events and its log",
};

async function list(ledger: Ledger, json: boolean): Promise<void> {
  const all = await ledger.webhooks.list();
  if (json) {
    process.stdout.write(`${plainJson({ webhooks: all.map(show) })}\n`);
    return;
  }
  const rows = all.map((endpoint) => ({
    id: endpoint.id,
    url: endpoint.url,
    types: endpoint.types.length === 0 ? "all" : endpoint.types.join(" "),
    state: String(show(endpoint).state),
    held: endpoint.held,
    why: endpoint.paused?.why ?? (endpoint.failingSinceMs > 0 ? endpoint.lastError : ""),
  }));
  process.stdout.write(rows.length === 0 ? "no webhook endpoints\n" : table(rows));
}

async function add(
  url: string,
  { types, after, json }: Json & { types: string; after: string },
): Promise<void> {
  const wanted = types === "" ? [] : types.split(",").map((type) => type.trim());
  const stranger = wanted.find((type) => !isFeedType(type));
  if (stranger !== undefined)
    throw new UsageError(`--types: '${stranger}' is not one of ${FEED_TYPES.join(", ")}`);
  await withLedger(async ({ ledger, settings }) => {
    const flaw = flawOfUrl(url, settings.webhookPrivate === "allow");
    if (flaw !== undefined) throw new UsageError(`'${url}' must be ${flaw}`);
    const position =
      after === "start" || after === "end" ? await ledger.feedAt(after) : readCursor(after);
    if (!position || (await ledger.feed(position, 1)) === "gone")
      throw new UsageError("--after must be start, end, or a cursor of this ledger's feed");
    const secret = newWebhookSecret(realRuntime);
    const of = { url, types: wanted.filter(isFeedType), secret, position, by: commandLine() };
    const added = await onRecord(ledger, { action: "webhooks.create", target: url }, () =>
      ledger.webhooks.add(of),
    );
    if (added === "too_many")
      throw new SettingError(`there are ${MAX_ENDPOINTS} endpoints already: remove one first`);
    process.stdout.write(
      json
        ? `${plainJson({ ...show(added), secret })}\n`
        : `${added.id} gets events from now on. Its secret, shown only here:\n${secret}\n`,
    );
  });
}

async function change(what: "pause" | "resume" | "remove", id: string): Promise<void> {
  await withLedger(async ({ ledger }) => {
    const { webhooks } = ledger;
    await onRecord(ledger, { action: `webhooks.${what}`, target: id }, async () => {
      const found =
        what === "pause"
          ? await webhooks.pause(id, commandLine(), "paused by an operator")
          : await webhooks[what](id);
      if (!found) throw unknown(id);
    });
    process.stdout.write(`${id} ${what}d\n`);
  });
}

async function showLog(id: string, limit: number, json: boolean): Promise<void> {
  await withLedger(async ({ ledger }) => {
    const log = await ledger.webhooks.log(id, limit);
    if (!log) throw unknown(id);
    if (json) {
      process.stdout.write(`${plainJson({ deliveries: log.map(showDelivery) })}\n`);
      return;
    }
    const rows = log.map((d) => ({
      at: new Date(d.atMs).toISOString(),
      event: d.eventId,
      type: d.type,
      order: d.subject,
      outcome: d.outcome,
      try: d.tries,
      answer: d.error === "" ? d.status : d.error,
    }));
    process.stdout.write(rows.length === 0 ? "no deliveries yet\n" : table(rows));
  });
}

async function redeliver(id: string, event: string): Promise<void> {
  await withLedger(async ({ ledger }) => {
    await onRecord(ledger, { action: "webhooks.redeliver", target: `${id} ${event}` }, async () => {
      const result = await ledger.webhooks.redeliver(id, event);
      if (result === "no_endpoint") throw unknown(id);
      if (result === "no_event")
        throw new SettingError(`the delivery log of ${id} has no event '${event}'`);
      if (result === "full") throw new SettingError(`too many redeliveries of ${id} wait already`);
    });
    process.stdout.write(`${event} is sent again\n`);
  });
}

function unknown(id: string): SettingError {
  return new SettingError(`there is no webhook endpoint '${id}': sluice webhooks lists them`);
}
