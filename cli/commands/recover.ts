// sluice recover: decisions that only an operator can make. After a halt, because the ledger went
// back (for example, was restored from a backup) or belongs to another Redis, --accept-ledger makes
// the ledger the truth, and the workers rebuild Redis from it. After a broker lost messages,
// --ask-again publishes everything unfinished again. After a region was lost for good, --lost lists
// what is known of its orders and lets the others continue.
import type { Command } from "commander";
import { plainJson, plainLines } from "../../core/domain/plain.ts";
import { subjectOf } from "../../core/domain/user-name.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { Settings } from "../../core/settings/settings.ts";
import { metaKey } from "../../core/stores/keys.ts";
import { openLedgerWriter } from "../../ledger/open.ts";
import { type OpenLedger, withLedger } from "../ledger.ts";
import {
  type LostOrder,
  type LostRegion,
  lookAtLost,
  mustBeAway,
} from "../operator/lost-region.ts";
import { commandLine, onRecord } from "../operator/on-record.ts";
import { openRedis } from "../roles/parts.ts";
import { mintToken } from "../token.ts";
import { UsageError } from "../usage.ts";

interface Options {
  readonly acceptLedger: boolean;
  readonly askAgain: boolean;
  readonly lost: boolean;
  readonly back: boolean;
  readonly yes: boolean;
  readonly json: boolean;
  readonly token: string;
}

export function register(program: Command): void {
  program
    .command("recover")
    .description(
      "after a halt: accept the ledger as the truth; " +
        "after a broker lost messages: publish charges and parts again; " +
        "after a region was lost permanently: list its orders, and no longer wait for it",
    )
    .option(
      "--accept-ledger",
      "rebuild Redis from the present ledger; " +
        "orders that only Redis or the lost part of the ledger had are gone",
      false,
    )
    .option(
      "--ask-again",
      "publish unfinished charges, refunds and parts again; " +
        "harmless for those that were not lost",
      false,
    )
    .option(
      "--lost",
      "list what was accepted in --region and is unknown; with --yes, gaps no longer wait for it",
      false,
    )
    .option("--back", "--region has come back: gaps wait for it again while it is away", false)
    .option("--yes", "with --lost: change it, after you have read the list", false)
    .option("--json", "with --lost: print the list as JSON", false)
    .option("--token <token>", "an operator's token for the gateways; default: made here", "")
    .action(recover);
}

async function recover(options: Options): Promise<void> {
  const { acceptLedger, askAgain, lost, back } = options;
  const chosen = [acceptLedger, askAgain, lost, back].filter(Boolean).length;
  if (chosen !== 1)
    throw new UsageError("choose one of --accept-ledger, --ask-again, --lost and --back");
  await withLedger(async (open) => {
    const { settings } = open;
    const deed = (what: string) => ({ action: `recover.${what}`, target: settings.region });
    if (askAgain) return onRecord(open.ledger, deed("ask-again"), () => again(settings));
    if (acceptLedger) return onRecord(open.ledger, deed("accept-ledger"), () => forget(open));
    // As every setting, SLUICE_REGION is also a flag.
    if (settings.region === "") throw new UsageError("name the region: --region NAME");
    return back
      ? onRecord(open.ledger, deed("back"), () => declare(open, "back"))
      : lose(open, options);
  });
}

async function lose(open: OpenLedger, { yes, json, token }: Options): Promise<void> {
  const { settings, ledger } = open;
  const { region } = settings;
  const redis = await openRedis(realRuntime, settings, () => undefined);
  try {
    const operator = token || (await ownToken(settings));
    const look = { runtime: realRuntime, settings, ledger, redis, region, token: operator };
    await mustBeAway(look);
    const found = await lookAtLost(look);
    process.stdout.write(json ? `${plainJson(found)}\n` : plainLines(lostText(found)));
    if (!yes && !json)
      process.stdout.write("\nNothing was changed. To continue without it, add --yes.\n");
    if (!yes) return;
  } finally {
    await redis.close();
  }
  // The list alone is JSON.
  const out = json ? process.stderr : process.stdout;
  await onRecord(ledger, { action: "recover.lost", target: region }, async () => {
    await declare(open, "lost", out);
    await again(settings, out);
  });
}

/** A token of its own, where there is the secret that gateways check tokens with. */
async function ownToken(settings: Settings): Promise<string> {
  if (settings.jwtAlgorithm !== "HS256" || settings.jwtSecret === "")
    throw new UsageError(
      "gateways tell an operator alone, and there is no SLUICE_JWT_SECRET here to make a token " +
        "with: add --token TOKEN, from your identity provider",
    );
  return mintToken(settings, { user: "recover", scope: "operator", hours: 1 });
}

async function declare(
  open: OpenLedger,
  state: "lost" | "back",
  out: NodeJS.WritableStream = process.stdout,
): Promise<void> {
  const { ledger, settings } = open;
  const { region } = settings;
  const ref = `${region} ${state} ${realRuntime.uuid()}`;
  await ledger.operate({ kind: "region", ref, region, state }, commandLine());
  out.write(
    state === "lost"
      ? `region ${region} is lost: while it is away, no gap waits for it.\n`
      : `region ${region} is back: gaps wait for it again.\n`,
  );
}

function lostText({ region, orders, numbers, silent }: LostRegion): string {
  const at = (ms: number) => new Date(ms).toISOString();
  const line = (o: LostOrder) =>
    `  ${at(o.acceptedAtMs)}  ${subjectOf(o.user)}  ${o.id}  ${o.gateway}`;
  const accepted = orders.filter((o) => !o.cancel).map(line);
  const cancels = orders.filter((o) => o.cancel).map(line);
  const missing = numbers.map(({ user, saleId, seq, parked }) => {
    const waiting = `later orders waiting: ${parked}`;
    return `  ${subjectOf(user)}  sale ${saleId}  number ${seq}  ${waiting}`;
  });
  const unheard = silent.map(({ gateway, why }) => `  ${gateway}: ${why}`);
  return [
    `orders accepted in ${region} that are in no ledger: ${accepted.length}`,
    ...accepted,
    ...(cancels.length > 0 ? ["cancels accepted there of orders that are not cancelled:"] : []),
    ...cancels,
    `users who wait for a number that may have been accepted there: ${numbers.length}`,
    ...missing,
    ...(unheard.length > 0
      ? ["what these gateways know is missing here, or a part of it:", ...unheard]
      : []),
    "Not listed: what a gateway had accepted before it was restarted. Clients know these orders.",
    "",
  ].join("\n");
}

/** The ledger's halt ends last: until then no worker rebuilds a Redis that is half cleared. */
async function forget({ settings, ledger }: OpenLedger): Promise<void> {
  const redis = await openRedis(realRuntime, settings, () => undefined);
  const metas = Array.from({ length: settings.shards }, (_, shard) => metaKey(shard));
  await redis.run((client) => client.del(...metas));
  await redis.close();
  await ledger.endHalt();
  process.stdout.write(
    "Redis was cleared; the workers rebuild it from the ledger within seconds " +
      "(see: sluice workers).\n",
  );
}

async function again(
  { ledgerUrl }: Settings,
  out: NodeJS.WritableStream = process.stdout,
): Promise<void> {
  const writer = await openLedgerWriter(realRuntime, ledgerUrl);
  const asked = await writer.askAgain();
  await writer.close();
  out.write(
    `charges, refunds and parts to be published again: ${asked}; ` +
      "the workers publish them within a second.\n",
  );
}
