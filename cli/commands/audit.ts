// sluice audit: what operators did, newest first; with --follow, as it happens.
import type { Command } from "commander";
import { plain } from "../../core/domain/plain.ts";
import { nameOfUser, subjectOf } from "../../core/domain/user-name.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { shown } from "../../gateway/admin/admin-audit.ts";
import type { AuditQuery, AuditRecord } from "../../ledger/audit-log.ts";
import type { Ledger } from "../../ledger/contract.ts";
import { whole } from "../arguments.ts";
import { AuditFollower } from "../audit-follow.ts";
import { withLedger } from "../ledger.ts";
import { print, printJson } from "../output.ts";
import { table } from "../table.ts";

interface Options {
  readonly limit: number;
  readonly before?: number;
  readonly subject?: string;
  readonly action?: string;
  readonly changes: boolean;
  readonly follow: boolean;
  readonly json: boolean;
}

const MAX_LIMIT = 10_000;
/** Columns of a terminal for what was asked; `--json` prints all of it. */
const MAX_DETAIL = 60;
const FOLLOW_EVERY_MS = 1_000;

export function register(program: Command): void {
  program
    .command("audit")
    .description("show what operators did: intents and their results, newest first")
    .option("--limit <n>", "how many to show", whole(1, MAX_LIMIT), 50)
    .option("--before <n>", "only those before this entry", whole(1, Number.MAX_SAFE_INTEGER))
    .option("--subject <name>", "only those of this operator")
    .option("--action <name>", "only those of this kind, such as sales.restock")
    .option("--changes", "leave out calls that only read", false)
    .option("-f, --follow", "keep printing as they happen, oldest first, until Ctrl-C", false)
    .option(
      "--json",
      "print JSON: as GET /v1/admin/audit; with --follow, one record per line",
      false,
    )
    .action(show);
}

async function show({ follow, json, ...options }: Options): Promise<void> {
  const { limit, before, subject, action, changes } = options;
  const subjects = subject === undefined ? undefined : [subject, nameOfUser(subject) ?? subject];
  await withLedger(async ({ ledger }) => {
    const { records, next } = await ledger.auditLog({ limit, before, subjects, action, changes });
    if (follow) return goOn(ledger, { subjects, action, changes }, records, json);
    if (json) return printJson({ records: records.map(shown), next });
    print(table(records.map(rowOf)));
    if (next !== undefined) process.stderr.write(`older ones: sluice audit --before ${next}\n`);
  });
}

async function goOn(
  ledger: Ledger,
  filter: Pick<AuditQuery, "subjects" | "action" | "changes">,
  first: readonly AuditRecord[],
  json: boolean,
): Promise<void> {
  const follower = await AuditFollower.begin(ledger, filter, first, realRuntime.wallMs);
  const say = (record: AuditRecord) =>
    json ? printJson(shown(record)) : print(`${lineOf(record)}\n`);
  for (const record of first.toReversed()) say(record);
  for (;;) {
    await realRuntime.sleep(FOLLOW_EVERY_MS);
    for (const record of await follower.news()) say(record);
  }
}

function rowOf({ seq, atMs, subject, action, target, detail, result }: AuditRecord) {
  const said = plain(detail);
  return {
    entry: seq,
    at: new Date(atMs).toISOString(),
    subject: subjectOf(subject),
    action,
    target,
    result: result?.status ?? "unknown",
    detail: said.length > MAX_DETAIL ? `${said.slice(0, MAX_DETAIL - 1)}…` : said,
  };
}

function lineOf(record: AuditRecord): string {
  return Object.values(rowOf(record))
    .map((value) => plain(String(value)))
    .join("  ");
}
