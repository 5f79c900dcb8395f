// sluice verify: the invariants, from outside. Exit code 0: they hold; 1: violated; 2: nothing can be said yet.
import type { Command } from "commander";
import { readSettings } from "../../core/settings.ts";
import { whole } from "../arguments.ts";
import { requireStores } from "../roles/parts.ts";
import { providerRecord } from "../verify/provider.ts";
import { paint, verdictLines } from "../verify/report.ts";
import { type Verdict, verify } from "../verify/verify.ts";
import { openViews } from "../verify/views.ts";

const EXIT_CODES = { pass: 0, violations: 1, inconclusive: 2 } as const;
/** Pause between two looks at a system that is not at rest. */
const LOOK_AGAIN_MS = 500;

interface Options {
  readonly history: readonly string[];
  readonly provider?: string;
  readonly partial: boolean;
  readonly wait: number;
  readonly json: boolean;
}

export function register(program: Command): void {
  const collect = (file: string, files: readonly string[]) => [...files, file];
  program
    .command("verify")
    .description("check the guarantees from outside: clients' history, ledger, Redis, queues")
    .option("--history <file>", "what the clients sent and were told (JSON lines); may be repeated", collect, [])
    .option("--provider <url or file>", "the payment provider's own record, if it is not where SLUICE_PROVIDER_URL says")
    .option("--partial", "there were other clients than those of the history", false)
    .option("--wait <seconds>", "how long to wait for the system to come to rest", whole(0, 3_600), 20)
    .option("--json", "print one JSON object", false)
    .action(async (options: Options) => {
      process.exitCode = EXIT_CODES[await run(options)];
    });
}

async function run(options: Options): Promise<Verdict["result"]> {
  const settings = readSettings(process.env);
  requireStores(settings);
  const views = await openViews(settings);
  const provider = providerRecord(options.provider, settings.providerUrl);
  const end = performance.now() + options.wait * 1_000;
  try {
    while (true) {
      const { history, partial } = options;
      const verdict = await verify({ ledgerUrl: settings.ledgerUrl, history, partial, provider, ...views });
      if ((verdict.result === "inconclusive" || verdict.missing > 0) && performance.now() < end) {
        await Bun.sleep(LOOK_AGAIN_MS);
        continue;
      }
      const text = options.json ? JSON.stringify(verdict) : verdictLines(verdict, paint(process.stdout.isTTY ?? false)).join("\n");
      process.stdout.write(`${text}\n`);
      return verdict.result;
    }
  } finally {
    await views.close();
  }
}
