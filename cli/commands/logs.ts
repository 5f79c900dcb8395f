// sluice logs: the logs of the roles that `sluice up` runs, also of those that have ended.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { escapedJson } from "../../core/domain/plain.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { readSettings } from "../../core/settings/settings.ts";
import { whole } from "../arguments.ts";
import { coloured } from "../colours.ts";
import { inOrder, type LogLine, logLine } from "../log-lines.ts";
import { LogTail } from "../log-tail.ts";
import { nearest } from "../nearest.ts";
import { print, printJson } from "../output.ts";
import { nothingRunning } from "../running.ts";
import { table } from "../table.ts";
import { UsageError } from "../usage.ts";

const MAX_LINES = 100_000;
const FOLLOW_EVERY_MS = 200;

interface Options {
  readonly lines: number;
  readonly follow: boolean;
  readonly list: boolean;
  readonly json: boolean;
}

export function register(program: Command): void {
  program
    .command("logs")
    .description("show the logs of the roles that 'sluice up' runs")
    .argument("[role]", "one role, such as worker-1, or a kind, such as worker; default: all")
    .option("-n, --lines <n>", "how many lines to show at first", whole(0, MAX_LINES), 50)
    .option(
      "-f, --follow",
      "keep printing as they are written, through restarts, until Ctrl-C",
      false,
    )
    .option("--list", "list the roles that have a log", false)
    .option("--json", "print the lines as they are written: JSON", false)
    .action(show);
}

async function show(role: string | undefined, options: Options): Promise<void> {
  const { dataDir } = readSettings(process.env);
  const dir = join(dataDir, "roles");
  const names = logsIn(dir);
  if (names.length === 0) throw nothingRunning(dataDir);
  if (options.list)
    return options.json
      ? printJson({ roles: names })
      : print(table(names.map((name) => ({ role: name }))));
  mustBeThere(role, names);
  const logs = new Logs(dir, role, options.json);
  for (const text of logs.end(options.lines)) print(`${text}\n`);
  while (options.follow) {
    await realRuntime.sleep(FOLLOW_EVERY_MS);
    for (const text of logs.news()) print(`${text}\n`);
  }
}

function logsIn(dir: string): string[] {
  if (!existsSync(dir)) return [];
  const files = readdirSync(dir).filter((file) => file.endsWith(".log"));
  return files.map((file) => file.slice(0, -".log".length)).sort();
}

/** A role by its name, or all of a kind: `worker` means worker-1 and worker-2. */
const isOf = (role: string | undefined, name: string): boolean =>
  role === undefined || name === role || name.startsWith(`${role}-`);

function mustBeThere(role: string | undefined, names: readonly string[]): void {
  if (role === undefined || names.some((name) => isOf(role, name))) return;
  const meant = nearest(role, names);
  const hint = meant === undefined ? `roles: ${names.join(", ")}` : `did you mean '${meant}'?`;
  throw new UsageError(`no role '${role}' has a log here\n${hint}`);
}

/** The logs of a folder, those included that appear later. */
export class Logs {
  private readonly tails = new Map<string, LogTail>();

  constructor(
    private readonly dir: string,
    private readonly role: string | undefined,
    private readonly json: boolean,
  ) {
    this.find();
  }

  end(count: number): string[] {
    const lines = inOrder(this.each((tail) => tail.end(count)));
    return lines.slice(Math.max(0, lines.length - count)).map(this.textOf);
  }

  news(): string[] {
    this.find();
    return inOrder(this.each((tail) => tail.news())).map(this.textOf);
  }

  private find(): void {
    for (const name of logsIn(this.dir))
      if (isOf(this.role, name) && !this.tails.has(name))
        this.tails.set(name, new LogTail(join(this.dir, `${name}.log`)));
  }

  private each(read: (tail: LogTail) => string[]): Shown[][] {
    const colours = coloured(process.stdout);
    return [...this.tails].map(([name, tail]) =>
      read(tail).map((raw) => ({ ...logLine(name, raw, colours), raw })),
    );
  }

  private readonly textOf = ({ raw, text }: Shown): string => (this.json ? escapedJson(raw) : text);
}

interface Shown extends LogLine {
  readonly raw: string;
}
