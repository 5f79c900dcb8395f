// sluice timeline: what happened in the last day, newest first; with --follow, as it happens.
import { type Command, Option } from "commander";
import { plain } from "../../core/domain/plain.ts";
import {
  newestFirst,
  TIMELINE_KINDS,
  type TimelineEntry,
  type TimelineKind,
} from "../../core/domain/timeline.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { rfc3339 } from "../../gateway/admin/sale-form.ts";
import type { Ledger } from "../../ledger/contract.ts";
import { whole } from "../arguments.ts";
import { withLedger } from "../ledger.ts";
import { print, printJson } from "../output.ts";
import { table } from "../table.ts";

interface Options {
  readonly limit: number;
  readonly before?: number;
  readonly kind?: TimelineKind;
  readonly follow: boolean;
  readonly json: boolean;
}

const MAX_LIMIT = 1_000;
const FOLLOW_EVERY_MS = 1_000;

export function register(program: Command): void {
  program
    .command("timeline")
    .description("show what happened in the last day, newest first")
    .option("--limit <n>", "how many entries to look at", whole(1, MAX_LIMIT), 50)
    .option("--before <n>", "only those before this entry", whole(1, Number.MAX_SAFE_INTEGER))
    .addOption(new Option("--kind <kind>", "only those of this kind").choices(TIMELINE_KINDS))
    .option("-f, --follow", "keep printing as it happens, oldest first, until Ctrl-C", false)
    .option(
      "--json",
      "print JSON: as GET /v1/admin/timeline; with --follow, one entry per line",
      false,
    )
    .action(show);
}

async function show({ limit, before, kind, follow, json }: Options): Promise<void> {
  const isOf = (entry: TimelineEntry) => kind === undefined || entry.kind === kind;
  await withLedger(async ({ ledger }) => {
    const page = await ledger.timeline({ limit, before });
    const entries = newestFirst(page.filter(isOf));
    if (follow) return goOn(ledger, page, isOf, json);
    const next = page.length === limit ? { next: page.at(-1)?.seq } : {};
    if (json) return printJson({ entries, ...next });
    const ofKind = kind === undefined ? "" : ` --kind ${kind}`;
    // Some are noticed late: a lost role, after its consequences.
    print(table(entries.toSorted((a, b) => b.atMs - a.atMs).map(rowOf)));
    if (next.next !== undefined)
      process.stderr.write(`older ones: sluice timeline${ofKind} --before ${next.next}\n`);
  });
}

async function goOn(
  ledger: Ledger,
  first: readonly TimelineEntry[],
  isOf: (entry: TimelineEntry) => boolean,
  json: boolean,
): Promise<void> {
  let after = first[0]?.seq ?? 0;
  const say = (entry: TimelineEntry) =>
    json ? printJson(entry) : print(`${Object.values(rowOf(entry)).map(text).join("  ")}\n`);
  for (const entry of first.toReversed().filter(isOf)) say(entry);
  for (;;) {
    await realRuntime.sleep(FOLLOW_EVERY_MS);
    const fresh = await ledger.timeline({ limit: MAX_LIMIT, after });
    for (const entry of fresh.filter(isOf)) say(entry);
    after = fresh.at(-1)?.seq ?? after;
  }
}

const text = (value: unknown): string => plain(String(value));

/** The column beside it names the subject already. */
export function rowOf({ atMs, kind, subject, what }: TimelineEntry) {
  const said = `${subject}: `;
  const short = what.startsWith(said) ? what.slice(said.length) : what;
  return { at: rfc3339(atMs), kind, subject, what: short };
}
