// The command line: finds the command, joins the running `up`, and ends with the right exit code.
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { withSecretFiles } from "../core/settings/secret-files.ts";
import { EXIT_CLOSED_PIPE } from "./exits.ts";
import { endingOf, type Given, mustBeKnown, ownFlags } from "./failure.ts";
import { takeSettingFlags } from "./flags.ts";
import { changing } from "./operator/on-record.ts";
import { buildProgram, WITHOUT_SETTINGS } from "./program.ts";
import { joinRunning } from "./running.ts";

/** Commands that start their own services, or need none. The others join the local `sluice up`. */
const SELF_CONTAINED = new Set(["up", "down", "provider", ...WITHOUT_SETTINGS]);

async function main(given: Writable<Given>): Promise<void> {
  if (given.words.length === 1 && VERSION.has(given.words[0] ?? ""))
    return void process.stdout.write(`sluice ${release()}\n`);
  given.words = withoutHelpCommand(given.words);
  const first = firstWord(given.words);
  mustBeKnown(first);
  given.program = await buildProgram(first === "completion" ? undefined : first);
  if (!WITHOUT_SETTINGS.has(first ?? "")) takeSettings(given, ownFlags(given));
  readSecretFiles();
  const [wanted] = given.words;
  if (wanted === undefined) return given.program.outputHelp();
  const asks = given.words.includes("--help") || given.words.includes("-h");
  if (!asks && !SELF_CONTAINED.has(wanted)) joinRunning(wanted, given.words);
  await given.program.parseAsync([...given.words], { from: "user" });
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };
const VERSION = new Set(["-V", "--version", "version"]);

function release(): string {
  const text = readFileSync(join(import.meta.dir, "..", "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** Settings may come before the command, each with its value. */
function firstWord(words: readonly string[]): string | undefined {
  return takeSettingFlags(words).rest[0];
}

function takeSettings(given: Writable<Given>, own: ReadonlySet<string>): void {
  const { settings, rest } = takeSettingFlags(given.words, own);
  Object.assign(process.env, settings);
  given.words = rest;
  given.flags = Object.keys(settings);
}

/** `help dead redrive` is `dead redrive --help`. */
function withoutHelpCommand(words: readonly string[]): readonly string[] {
  if (words[0] !== "help") return words;
  const named = words.slice(1).filter((word) => !word.startsWith("-"));
  return [...named, "--help"];
}

/** For this process and those that it starts. */
function readSecretFiles(): void {
  const read = withSecretFiles(process.env);
  for (const name of Object.keys(process.env)) if (!(name in read)) delete process.env[name];
  Object.assign(process.env, read);
}

/**
 * The reader is gone, as in `sluice dead | head -1`. A change that has begun is finished; a command
 * that runs a system of its own stops it as for a signal.
 */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
  process.exitCode = EXIT_CLOSED_PIPE;
  if (leaving || changing()) return;
  leaving = true;
  if (SELF_CONTAINED.has(process.argv[2] ?? "")) process.kill(process.pid, "SIGTERM");
  else process.exit();
}

let leaving = false;
process.stdout.on("error", endQuietly);
// No reader is left to report to.
process.stderr.on("error", () => undefined);
const given: Writable<Given> = { program: undefined, words: process.argv.slice(2), flags: [] };
try {
  await main(given);
} catch (error) {
  const { text, code } = endingOf(error, given);
  process.stderr.write(text);
  process.exit(code);
}
