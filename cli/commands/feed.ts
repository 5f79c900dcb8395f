// sluice feed: the events of orders from a position on, as GET /v1/feed gives them.
import type { Command } from "commander";
import { FEED_TYPES, type FeedEvent, showEvent } from "../../core/domain/feed-event.ts";
import { cursorOf, type FeedPosition, readCursor } from "../../core/domain/feed-position.ts";
import { plain } from "../../core/domain/plain.ts";
import { subjectOf } from "../../core/domain/user-name.ts";
import { isFeedType } from "../../core/domain/webhook-endpoint.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { rfc3339 } from "../../gateway/admin/sale-form.ts";
import { MAX_FEED_PAGE } from "../../gateway/http/read-feed.ts";
import type { Ledger } from "../../ledger/contract.ts";
import { whole } from "../arguments.ts";
import { EXIT_INTERRUPTED } from "../exits.ts";
import { withLedger } from "../ledger.ts";
import { amountText } from "../order-lines.ts";
import { print, printJson } from "../output.ts";
import { table } from "../table.ts";
import { UsageError } from "../usage.ts";
import { pageOf, wantedPage } from "../wanted-page.ts";

const FOLLOW_EVERY_MS = 300;
const DEFAULT_LIMIT = 200;

interface Options {
  readonly after?: string;
  readonly limit: number;
  readonly types: string;
  readonly follow: boolean;
  readonly json: boolean;
}

export function register(program: Command): void {
  program
    .command("feed")
    .description("show the events of orders from a position on, oldest first")
    .option("--after <position>", "start, end, or a cursor; default: start, with --follow end")
    .option("--limit <n>", "about how many", whole(1, MAX_FEED_PAGE), DEFAULT_LIMIT)
    .option("--types <list>", `only these, separated by commas: ${FEED_TYPES.join(", ")}`, "")
    .option("-f, --follow", "keep printing as they happen, until Ctrl-C", false)
    .option("--json", "print JSON: as GET /v1/feed; with --follow, one event per line", false)
    .action(show);
}

async function show({ after, limit, types, follow, json }: Options): Promise<void> {
  const wanted = new Set<string>(types === "" ? [] : types.split(",").map((type) => type.trim()));
  const stranger = [...wanted].find((type) => !isFeedType(type));
  if (stranger !== undefined)
    throw new UsageError(`--types: '${stranger}' is not one of ${FEED_TYPES.join(", ")}`);
  const isWanted = ({ type }: FeedEvent) => wanted.size === 0 || wanted.has(type);
  await withLedger(async ({ ledger }) => {
    const from = await positionOf(ledger, after ?? (follow ? "end" : "start"));
    const only = wanted.size === 0 ? "" : ` --types ${[...wanted].join(",")}`;
    if (follow) return goOn(ledger, from, isWanted, json, only);
    const page = await wantedPage(ledger, from, limit, isWanted);
    const next = cursorOf(page.after);
    if (json)
      printJson({
        events: page.events.map((event) => showEvent(event, rfc3339)),
        after: next,
        more: page.more,
      });
    else print(table(page.events.map(rowOf)));
    const count = limit === DEFAULT_LIMIT ? "" : ` --limit ${limit}`;
    const how = `sluice feed --after ${next}${only}${count}${json ? " --json" : ""}`;
    if (page.early) process.stderr.write(`stopped after ${page.read} events; to go on: ${how}\n`);
    else if (page.more && !json) process.stderr.write(`later ones: ${how}\n`);
  });
}

/** On Ctrl-C, names the position: nothing is lost to the next reader. */
async function goOn(
  ledger: Ledger,
  from: FeedPosition,
  isWanted: (event: FeedEvent) => boolean,
  json: boolean,
  only: string,
): Promise<void> {
  let after = from;
  process.once("SIGINT", () => {
    const how = `sluice feed --follow --after ${cursorOf(after)}${only}${json ? " --json" : ""}`;
    process.stderr.write(`to continue from here: ${how}\n`);
    process.exit(EXIT_INTERRUPTED);
  });
  for (;;) {
    const page = await pageOf(ledger, after, MAX_FEED_PAGE);
    for (const event of page.events.filter(isWanted))
      if (json) printJson(showEvent(event, rfc3339));
      else print(`${Object.values(rowOf(event)).map(plain).join("  ")}\n`);
    after = page.after;
    await realRuntime.sleep(page.more ? 0 : FOLLOW_EVERY_MS);
  }
}

async function positionOf(ledger: Ledger, after: string): Promise<FeedPosition> {
  if (after === "start" || after === "end") return ledger.feedAt(after);
  const position = readCursor(after);
  if (!position) throw new UsageError("--after must be start, end, or a cursor that was printed");
  return position;
}

function rowOf({ atMs, type, orderId, user, saleId, status, amount, currency }: FeedEvent) {
  return {
    at: rfc3339(atMs),
    type: type.replace(/^order\./, ""),
    order: orderId,
    user: subjectOf(user),
    sale: saleId,
    status,
    amount: amount === undefined || currency === undefined ? "" : amountText({ amount, currency }),
  };
}
