// sluice verify: checks the invariants from outside. Exit code 0: they hold; 1: violated; 2:
// inconclusive.
import { existsSync } from "node:fs";
import type { Command } from "commander";
import { plainJson } from "../../core/domain/plain.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { readSettings, type Settings } from "../../core/settings/settings.ts";
import { openLedger } from "../../ledger/open.ts";
import type { PackedRecord } from "../../proof/verify/checks/parts.ts";
import { QUEUE_MISSING } from "../../proof/verify/checks/rest.ts";
import { providerRecord } from "../../proof/verify/provider.ts";
import { paint, verdictLines } from "../../proof/verify/report.ts";
import { type Verdict, verify } from "../../proof/verify/verify.ts";
import { openViews } from "../../proof/verify/views.ts";
import { readPackingList } from "../../stubs/fulfil/packing-list.ts";
import { whole } from "../arguments.ts";
import { coloured } from "../colours.ts";
import { requireStores } from "../roles/parts.ts";
import { UsageError } from "../usage.ts";

const EXIT_CODES = { pass: 0, violations: 1, inconclusive: 2 } as const;
/** Pause between two looks at a busy system. */
const LOOK_AGAIN_MS = 500;

interface Options {
  readonly history: readonly string[];
  readonly provider?: string;
  readonly packed: readonly string[];
  readonly partial: boolean;
  readonly wait: number;
  readonly json: boolean;
}

export function register(program: Command): void {
  const collect = (file: string, files: readonly string[]) => [...files, file];
  program
    .command("verify")
    .description("check the guarantees from outside: clients' history, ledger, Redis, queues")
    .option(
      "--history <file>",
      "what the clients sent and received (JSON lines); may be repeated",
      collect,
      [],
    )
    .option(
      "--provider <url or file>",
      "the payment provider's own record, if not at SLUICE_PROVIDER_URL",
    )
    .option(
      "--packed <service=file>",
      "a fulfilment service's packing list ('sluice fulfil'); may be repeated",
      collect,
      [],
    )
    .option(
      "--partial",
      "with --history: clients outside it took part too, so do not expect every order in it",
      false,
    )
    .option(
      "--wait <seconds>",
      "how long to wait for the system to come to rest",
      whole(0, 3_600),
      20,
    )
    .option("--json", "print one JSON object", false)
    .action(async (options: Options) => {
      process.exitCode = EXIT_CODES[await run(options)];
    });
}

/** The services with a route. */
async function routedServices(settings: Settings): Promise<string[]> {
  const ledger = await openLedger({
    runtime: realRuntime,
    url: settings.ledgerUrl,
    shards: settings.shards,
  });
  const routes = await ledger.routes();
  await ledger.close();
  return [...new Set(routes.map((route) => route.service))];
}

/** Reads the lists again on each call; undefined if none was given. */
function packingLists(named: readonly string[]): (() => Promise<PackedRecord[]>) | undefined {
  const lists = named.map((pair) => {
    const at = pair.indexOf("=");
    const [service, file] = [pair.slice(0, at), pair.slice(at + 1)];
    if (at < 1 || !existsSync(file))
      throw new UsageError(`--packed '${pair}' must be service=file, and the file must exist`);
    return { service, file };
  });
  if (lists.length === 0) return undefined;
  return async () =>
    lists.flatMap(({ service, file }) =>
      readPackingList(file).map((line) => ({ service, ...line })),
    );
}

/**
 * Whether a later look may find more. A worker declares the queue of a new route within a second,
 * so a missing queue is a violation only if it stays away.
 */
export function mayChange({ result, missing, violations }: Verdict): boolean {
  const others = violations.filter(({ what }) => what !== QUEUE_MISSING);
  if (violations.length > others.length) return others.length === 0;
  return result === "inconclusive" || missing > 0;
}

async function run(options: Options): Promise<Verdict["result"]> {
  const settings = readSettings(process.env);
  requireStores(settings);
  const packed = packingLists(options.packed);
  const views = await openViews({ ...settings, processing: await routedServices(settings) });
  const provider = providerRecord(options.provider, settings.providerUrl);
  const end = realRuntime.monotonicMs() + options.wait * 1_000;
  let said = !process.stderr.isTTY;
  const sayOnce = () => {
    if (!said)
      process.stderr.write(`waiting up to ${options.wait} s for the system to come to rest\n`);
    said = true;
  };
  try {
    while (true) {
      const { history, partial } = options;
      const verdict = await verify({
        ledgerUrl: settings.ledgerUrl,
        history,
        partial,
        rules: settings,
        provider,
        packed,
        ...views,
      });
      if (mayChange(verdict) && realRuntime.monotonicMs() < end) {
        sayOnce();
        await realRuntime.sleep(LOOK_AGAIN_MS);
        continue;
      }
      const text = options.json
        ? plainJson(verdict)
        : verdictLines(verdict, paint(coloured(process.stdout))).join("\n");
      process.stdout.write(`${text}\n`);
      return verdict.result;
    }
  } finally {
    await views.close();
  }
}
