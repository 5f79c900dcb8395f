// How a command ends that failed: what is printed, and the exit code. A usage error is three lines
// at most; only an unexpected error is printed with its stack.
import { type Command, CommanderError } from "commander";
import { withoutSecrets } from "../core/domain/masked.ts";
import { messageOf } from "../core/domain/message-of.ts";
import { plainLines } from "../core/domain/plain.ts";
import { SettingError, settingVariables } from "../core/settings/settings.ts";
import { clientErrorOf } from "./client-errors.ts";
import { EXIT_UNAVAILABLE, EXIT_USAGE } from "./exits.ts";
import { flagOf } from "./flags.ts";
import { nearest } from "./nearest.ts";
import { COMMANDS, pathOf, WITHOUT_SETTINGS } from "./program.ts";
import { Unavailable, UsageError } from "./usage.ts";

export interface Ending {
  /** Lines for standard error; empty: everything has been printed. */
  readonly text: string;
  readonly code: number;
}

export interface Given {
  readonly program: Command | undefined;
  /** What follows `sluice`, without flags that set settings. */
  readonly words: readonly string[];
  /** Variables that were given as flags. */
  readonly flags: readonly string[];
}

/** Errors whose message is enough, because it names what does not answer. */
const AWAY = new Set(["LedgerUnavailable", "BrokerUnavailable", "StoreUnavailable"]);
const KNOWN = new Set(["StoreRefused", "TopologyConflict"]);

export function endingOf(error: unknown, given: Given): Ending {
  if (error instanceof CommanderError) return usageEnding(error, given);
  const failure = error instanceof Error ? error : new Error(messageOf(error));
  const line = (text: string) => plainLines(`sluice: ${withoutSecrets(text)}\n`);
  if (failure instanceof UsageError || isWrongFlag(failure, given.flags))
    return { text: line(failure.message) + see(given), code: EXIT_USAGE };
  if (failure instanceof Unavailable || AWAY.has(failure.name))
    return { text: line(failure.message), code: EXIT_UNAVAILABLE };
  const client = clientErrorOf(failure);
  if (client) return { text: line(client.line), code: client.code };
  const known = failure instanceof SettingError || KNOWN.has(failure.name);
  return { text: line(known ? failure.message : (failure.stack ?? failure.message)), code: 1 };
}

/** A setting's value was refused, and it came as a flag. */
function isWrongFlag(failure: Error, flags: readonly string[]): boolean {
  return (
    failure instanceof SettingError &&
    flags.some((variable) => failure.message.startsWith(variable))
  );
}

/** What the parser says of an argument, beside what it is for. */
const CLUMSY = /^command-argument value '(.*)' is invalid for argument '(.*?)'\./s;

/** The parser has no usage to complain of when it has printed help. */
function usageEnding({ code, message, exitCode }: CommanderError, given: Given): Ending {
  if (exitCode === 0) return { text: "", code: 0 };
  if (code === "commander.help") return { text: "", code: EXIT_USAGE };
  const said = message.replace(/^error: /, "").replace(CLUMSY, "$2 '$1' is invalid.");
  const { line, meant } = suggestion(code, said, given);
  const lines = [`sluice: ${line}`, ...(meant === undefined ? [] : [`did you mean '${meant}'?`])];
  return { text: plainLines(`${lines.join("\n")}\n`) + see(given), code: EXIT_USAGE };
}

/** What ./sluice runs itself. */
const LAUNCHER: ReadonlySet<string> = new Set(["test", "docs"]);

/** Known before any command's file is loaded. */
export function mustBeKnown(word: string | undefined): void {
  if (word === undefined || word.startsWith("-") || Object.hasOwn(COMMANDS, word)) return;
  if (LAUNCHER.has(word)) throw new UsageError(`the launcher runs this: ./sluice ${word}`);
  const meant = nearest(word, [...Object.keys(COMMANDS), "help", ...LAUNCHER]);
  const hint = meant === undefined ? "" : `\ndid you mean '${meant}'?`;
  throw new UsageError(`unknown command '${word}'${hint}`);
}

function see(given: Given): string {
  const command = commandIn(given);
  const path = command ? pathOf(command) : "";
  return `see: ./sluice help${path === "" ? "" : ` ${path}`}\n`;
}

function suggestion(code: string, said: string, given: Given): { line: string; meant?: string } {
  const command = commandIn(given);
  if (!command) return { line: said };
  const parts = command.commands.map((part) => part.name());
  if (code === "commander.unknownCommand")
    return { line: said, ...meantBy(/'(.*)'/.exec(said)?.[1], parts) };
  if (code === "commander.unknownOption")
    return { line: said, ...meantBy(/'(.*)'/.exec(said)?.[1], flagsOf(command)) };
  // A word after a command with sub-commands was taken for an argument of the default one.
  const stranger = given.words[pathOf(command).split(" ").length];
  if (code === "commander.excessArguments" && parts.length > 0 && stranger !== undefined) {
    const line = `'${pathOf(command)}' has no command '${stranger}'`;
    return { line, ...meantBy(stranger, parts) };
  }
  return { line: said };
}

function meantBy(word: string | undefined, known: Iterable<string>): { meant?: string } {
  const meant = word === undefined ? undefined : nearest(word, known);
  return meant === undefined ? {} : { meant };
}

/** Flags that a command knows, settings included. */
export function flagsOf(command: Command): string[] {
  const own = command.options.filter(({ hidden }) => !hidden).map(({ long }) => long ?? "");
  const parent = command.parent ? [] : ["--version"];
  const settings = WITHOUT_SETTINGS.has(pathOf(command).split(" ")[0] ?? "")
    ? []
    : settingVariables().map(flagOf);
  return [...own, ...parent, "--help", ...settings];
}

/** Flags that the named command has itself. `routes set --region` is no setting. */
export function ownFlags(given: Given): ReadonlySet<string> {
  const flags = commandIn(given)?.options.map(({ long }) => long ?? "") ?? [];
  return new Set(flags);
}

/** The command that the words name, as far as they name one. */
function commandIn({ program, words }: Given): Command | undefined {
  let command = program;
  for (const word of words) {
    const part = command?.commands.find((each) => each.name() === word);
    if (!part) break;
    command = part;
  }
  return command;
}
