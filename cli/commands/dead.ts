// sluice dead: dead letters, and parts that a service gave up. By default it lists them; `show ID`
// prints one; `redrive` and `drop` take an id, a filter, or `all`.
import type { Command } from "commander";
import { UNROUTED } from "../../broker/topology.ts";
import { and } from "../../core/domain/finding-words.ts";
import { plainJson, plainLines } from "../../core/domain/plain.ts";
import { subjectOf } from "../../core/domain/user-name.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { SettingError } from "../../core/settings/settings.ts";
import type { Ledger } from "../../ledger/contract.ts";
import { whole } from "../arguments.ts";
import { withLedger } from "../ledger.ts";
import {
  type Dealt,
  LETTER_QUEUES,
  type Letter,
  type LetterFilter,
  Letters,
  MAX_LETTERS,
  type Waiting,
} from "../operator/dead-letters.ts";
import { commandLine, onRecord } from "../operator/on-record.ts";
import { print, printJson } from "../output.ts";
import { table } from "../table.ts";
import { Unavailable, UsageError } from "../usage.ts";

interface Options {
  readonly queue?: string;
  readonly reason?: string;
  readonly user?: string;
  readonly limit: number;
  readonly json: boolean;
}

const DEFAULT_LIMIT = 1_000;

export function register(program: Command): void {
  const dead = program
    .command("dead")
    .description("dead letters: list, show, redrive or drop them");
  const filtered = (command: Command) =>
    command
      .option("--queue <name>", `one of ${LETTER_QUEUES.join(", ")}`)
      .option("--reason <text>", "only those whose reason contains this")
      .option("--user <name>", "only those about this user's orders")
      .option(
        "--limit <n>",
        "how many to read from each queue",
        whole(1, MAX_LETTERS),
        DEFAULT_LIMIT,
      )
      .option("--json", "print JSON: as over HTTP", false);
  filtered(
    dead.command("list", { isDefault: true }).description("list dead letters, oldest first"),
  ).action((options: Options) => list(options));
  filtered(
    dead.command("show <id>").description("print a letter with its content and trail as JSON"),
  ).action(show);
  const which = "[id]";
  filtered(
    dead
      .command(`redrive ${which}`)
      .description(
        "send a letter back to where it came from, or retry its payment; " +
          "'all': each that 'sluice dead' lists",
      ),
  ).action((id: string | undefined, options: Options) => deal("redrive", id, options));
  filtered(
    dead
      .command(`drop ${which}`)
      .description("delete a letter; 'all': each that 'sluice dead' lists"),
  ).action((id: string | undefined, options: Options) => deal("drop", id, options));
}

async function list(options: Options): Promise<void> {
  await withLetters(async (letters) => {
    const listed = await letters.list(filterOf(undefined, options), options.limit);
    const { letters: found, unasked = [], waiting = [] } = listed;
    if (options.json) printJson({ ...listed, letters: found.map(shown) });
    const rows = found.map(({ id, region, queue, reason, user, order }) => ({
      id,
      region,
      queue,
      reason,
      user: subjectOf(user ?? ""),
      order: order ?? "",
    }));
    // Without any letter, parts that wait, or regions that could not be read, are not `empty`.
    const none = rows.length === 0 && (unasked.length > 0 || waiting.length > 0);
    if (!options.json && !none) print(table(rows));
    if (!options.json) print(waiting.map(waitingLine).join(""));
    if (unasked.length > 0)
      throw new Unavailable(`${and(unasked)} did not answer: letters there are not listed`);
  });
}

/** Customers have paid for these too. */
function waitingLine({ region, messages }: Waiting): string {
  return (
    `${messages} more in ${UNROUTED} of ${region}: they wait for a route ` +
    `('sluice dead --queue ${UNROUTED}', 'sluice routes')\n`
  );
}

/** As HTTP shows it: its user by the token's own text. */
function shown({ user, ...letter }: Letter) {
  return user === undefined ? letter : { ...letter, user: subjectOf(user) };
}

async function show(id: string, options: Options): Promise<void> {
  await withLetters(async (letters) => {
    const { letters: all, unasked = [] } = await letters.list(filterOf(id, options), options.limit);
    const [found] = all;
    if (!found) {
      const where = options.queue ?? "any queue";
      const none = `no dead letter ${id} among the first ${options.limit} of ${where}`;
      if (unasked.length > 0) throw new Unavailable(`${none}; ${and(unasked)} did not answer`);
      throw new SettingError(none);
    }
    print(`${plainJson(shown(found), 2)}\n`);
  });
}

async function deal(
  what: "redrive" | "drop",
  id: string | undefined,
  options: Options,
): Promise<void> {
  const filter = filterOf(id === "all" ? undefined : id, options);
  if (id === undefined && Object.keys(filter).length === 0)
    throw new UsageError(`specify which: 'sluice dead ${what} ID', 'all', or a filter`);
  await withLetters(async (letters, ledger) => {
    const deed = { action: `dead.${what}`, target: id ?? "", detail: { ...filter } };
    const dealing = () => letters[what](filter, options.limit, commandLine());
    const dealt = await onRecord(ledger, deed, dealing, auditStatus);
    const { unasked = [] } = dealt;
    const silent = `${and(unasked)} did not answer: letters there are unchanged`;
    if (dealt.matched === 0) {
      const none =
        id === undefined || id === "all" ? "no such dead letters" : `no dead letter ${id}`;
      if (unasked.length > 0) throw new Unavailable(`${none}; ${silent}`);
      throw new SettingError(none);
    }
    const done = `${dealt.done} ${what === "drop" ? "dropped" : "sent again"}`;
    const text = `${done}${dealt.left.length > 0 ? `, ${dealt.left.length} unchanged` : ""}`;
    if (options.json) printJson(dealt);
    else print(`${text}\n`);
    for (const { id: letter, why } of dealt.left)
      process.stderr.write(plainLines(`${letter}: ${why}\n`));
    // A letter that was named by its id has been found.
    if (unasked.length > 0 && filter.id === undefined) throw new Unavailable(silent);
    if (dealt.left.length > 0) process.exitCode = 1;
  });
}

/** As over HTTP. What failed with exit code 1 must not be on record as done. */
function auditStatus({ matched, done, unasked = [] }: Dealt): number {
  if (matched === 0) return unasked.length > 0 ? 503 : 404;
  return done === 0 ? 409 : 200;
}

function filterOf(id: string | undefined, { queue, reason, user }: Options): LetterFilter {
  if (queue !== undefined && !(LETTER_QUEUES as readonly string[]).includes(queue))
    throw new UsageError(`--queue must be one of ${LETTER_QUEUES.join(", ")}, not '${queue}'`);
  return {
    ...(id ? { id } : {}),
    ...(queue ? { queue } : {}),
    ...(reason ? { reason } : {}),
    ...(user ? { user } : {}),
  };
}

async function withLetters(
  work: (letters: Letters, ledger: Ledger) => Promise<void>,
): Promise<void> {
  await withLedger(async ({ ledger, settings }) => {
    const letters = await Letters.open(realRuntime, settings, ledger);
    try {
      await work(letters, ledger);
    } finally {
      await letters.close();
    }
  });
}
