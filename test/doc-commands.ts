// The commands in the documents: finds them, and checks each against the command line's own table
// without running it.
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command, CommanderError } from "commander";
import { ownFlags } from "../cli/failure.ts";
import { takeSettingFlags } from "../cli/flags.ts";
import { buildProgram } from "../cli/program.ts";

const ROOT = join(import.meta.dir, "..");

export interface DocCommand {
  readonly page: string;
  readonly line: number;
  /** Without comments and line ends. */
  readonly text: string;
  /** What follows the fence's language, such as `up`; undefined for code within a sentence. */
  readonly fence: string | undefined;
}

/** Commands that the launcher runs itself. */
const LAUNCHER = new Set(["test", "docs"]);
/** A word that stands for a value: `N`, `ID`, `NAME`, `we_…`. */
const PLACEHOLDER = /^(?:[A-Z]+|\S*…)$/;
const SHELL_FENCE = /^(?:sh|bash|shell|console)(?: (.*))?$/;

/** Every line of a shell block, and every command of Sluice named in a sentence. */
export function commandsIn(page: string, text: string): DocCommand[] {
  const found: DocCommand[] = [];
  const prose = text.replaceAll(/^( *)```(.*)\n([\s\S]*?)^ *```$/gm, (block, _, info, body, at) => {
    const fence = SHELL_FENCE.exec(info);
    const start = lineOf(text, at) + 1;
    if (fence)
      found.push(...linesOf(body).map((l) => on(page, start + l.at, l.text, fence[1] ?? "")));
    return block.replaceAll(/[^\n]/g, " ");
  });
  for (const { 1: code = "", index } of prose.matchAll(/`([^`]+)`/g))
    if (/^(?:\w+=\S+ )*(?:\.\/)?sluice /.test(code))
      found.push(on(page, lineOf(prose, index), code.replaceAll(/\s+/g, " "), undefined));
  return found;
}

const on = (page: string, line: number, text: string, fence: string | undefined): DocCommand => ({
  page,
  line,
  text,
  fence,
});

const lineOf = (text: string, index: number): number => text.slice(0, index).split("\n").length;

/** Joins continued lines and quoted ones, and leaves out comments. */
function linesOf(body: string): { at: number; text: string }[] {
  const lines: { at: number; text: string }[] = [];
  let open: { at: number; text: string } | undefined;
  for (const [at, raw] of body.split("\n").entries()) {
    open = { at: open?.at ?? at, text: open ? `${open.text}\n${raw}` : raw };
    if (raw.endsWith("\\") || isOpen(open.text)) continue;
    const text = withoutComment(open.text.replaceAll("\\\n", " ")).trim();
    if (text !== "") lines.push({ at: open.at, text });
    open = undefined;
  }
  return lines;
}

/** Whether a quote is still open at the end. */
const isOpen = (text: string): boolean => quoteAt(text, text.length) !== "";

/** The quote that is open at a place: ' or " or none. Commands within "$(…)" count as quoted. */
function quoteAt(text: string, end: number): string {
  let quote = "";
  for (let i = 0; i < end; i++) {
    const c = text[i] ?? "";
    if (c === "\\" && quote !== "'") i++;
    else if (quote === c) quote = "";
    else if (quote === "" && (c === "'" || c === '"')) quote = c;
    else if (quote === "" && c === "#" && /^$|\s/.test(text[i - 1] ?? "")) {
      const eol = text.indexOf("\n", i);
      i = eol < 0 ? end : eol;
    }
  }
  return quote;
}

function withoutComment(text: string): string {
  for (const { index } of text.matchAll(/(?:^|\s)#/g))
    if (quoteAt(text, index) === "") return text.slice(0, index);
  return text;
}

/** The command lines of Sluice in a command: `curl … $(./sluice id)` has `id`. */
export function sluiceIn(text: string): string[][] {
  if (text.startsWith("helm ")) return []; // a release may have the name
  return [...text.matchAll(/(?:^|[\s(;|&])(?:\.\/)?sluice (?=[\w-])/g)].map(({ 0: lead, index }) =>
    words(text.slice(index + lead.length)),
  );
}

/** The words up to the end of the command. */
export function words(text: string): string[] {
  const found: string[] = [];
  for (const [word = ""] of text.matchAll(
    /(?:'[^']*'|"[^"]*"|[^\s'")|;&>]+|[)|;&>"]|\n)+?(?=\s|$|[)|;&>"])/g,
  )) {
    if (/^[)|;&>"\n]/.test(word)) break;
    found.push(word.replaceAll(/^['"]|['"]$/g, ""));
  }
  return found;
}

/** Every command, with its options and its checks, none of which does anything. */
export async function inertProgram(): Promise<Command> {
  const program = await buildProgram();
  disarm(program);
  return program;
}

function disarm(command: Command): void {
  command.exitOverride().configureOutput({ writeOut: () => undefined, writeErr: () => undefined });
  // A group may do something by itself, as `sluice rates` does; commander does not show that.
  const acts = (command as unknown as { _actionHandler?: unknown })._actionHandler;
  if (command.commands.length === 0 || acts) command.action(() => undefined);
  for (const each of command.commands) disarm(each);
}

/** A command that is only named, as in a sentence, may lack what it needs. */
const INCOMPLETE = new Set([
  "commander.missingArgument",
  "commander.missingMandatoryOptionValue",
  "commander.optionMissingArgument",
  "commander.help",
]);

/** Why a command line would be refused; undefined if it would run. */
export function refusal(
  program: Command,
  given: readonly string[],
  isNamed: boolean,
): string | undefined {
  const line = given.filter((word) => word !== "--yes" && word !== "--no-install");
  if (LAUNCHER.has(line[0] ?? "")) return launcherRefusal(line);
  const first = parse(program, line, isNamed);
  if (first === undefined || !line.some((word) => PLACEHOLDER.test(word))) return first;
  // A sentence may name a choice: `sluice completion SHELL`.
  if (isNamed && first.includes("Allowed choices are")) return undefined;
  return parse(
    program,
    line.map((word) => (PLACEHOLDER.test(word) ? "1" : word)),
    isNamed,
  );
}

function parse(program: Command, line: readonly string[], isNamed: boolean): string | undefined {
  try {
    const own = ownFlags({ program, words: line, flags: [] });
    program.parse(takeSettingFlags(line, own).rest, { from: "user" });
    return undefined;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const { code } = error as CommanderError;
    if (code === "commander.helpDisplayed" || code === "commander.version") return undefined;
    return isNamed && INCOMPLETE.has(code) ? undefined : error.message;
  }
}

/** `test` takes files and words in their paths, `docs` builds. */
function launcherRefusal([command, ...rest]: readonly string[]): string | undefined {
  if (command === "docs") return rest.join() === "build" ? undefined : "docs knows only 'build'";
  const gone = rest.filter((word) => word.endsWith(".test.ts") && !existsSync(join(ROOT, word)));
  return gone.length > 0 ? `no such test: ${gone.join(", ")}` : undefined;
}
