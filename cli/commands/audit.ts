// sluice audit: what operators did, newest first.
import type { Command } from "commander";
import { plain, plainJson } from "../../core/domain/plain.ts";
import { nameOfUser, subjectOf } from "../../core/domain/user-name.ts";
import type { AuditRecord } from "../../ledger/audit-log.ts";
import { whole } from "../arguments.ts";
import { withLedger } from "../ledger.ts";
import { table } from "../table.ts";

interface Options {
  readonly limit: number;
  readonly before?: number;
  readonly subject?: string;
  readonly action?: string;
  readonly json: boolean;
}

const MAX_LIMIT = 10_000;
/** Columns of a terminal for what was asked; `--json` prints all of it. */
const MAX_DETAIL = 60;

export function register(program: Command): void {
  program
    .command("audit")
    .description("what operators did: intents and their results, newest first")
    .option("--limit <n>", "how many to show", whole(1, MAX_LIMIT), 50)
    .option("--before <n>", "only those before this entry", whole(1, Number.MAX_SAFE_INTEGER))
    .option("--subject <name>", "only those of this operator")
    .option("--action <name>", "only those of this kind, such as sales.restock")
    .option("--json", "print a JSON object per line", false)
    .action(show);
}

async function show({ limit, before, subject, action, json }: Options): Promise<void> {
  const subjects = subject === undefined ? undefined : [subject, nameOfUser(subject) ?? subject];
  await withLedger(async ({ ledger }) => {
    const { records, next } = await ledger.auditLog({ limit, before, subjects, action });
    if (json) for (const record of records) process.stdout.write(`${plainJson(record)}\n`);
    else process.stdout.write(table(records.map(rowOf)));
    if (next !== undefined && !json)
      process.stderr.write(`older ones: sluice audit --before ${next}\n`);
  });
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
