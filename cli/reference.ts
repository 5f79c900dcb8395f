// docs/reference/cli.md, made from the table of commands.
import type { Command, Option } from "commander";
import { examplesFor } from "./examples.ts";
import { EXITS, OWN_EXITS } from "./exits.ts";
import { mainSettings } from "./main-settings.ts";
import { pathOf, withParts } from "./program.ts";

const WIDTH = 100;

export function referenceOf(program: Command): string {
  const sections = program.commands.flatMap((command) => [
    `## ${pathOf(command)}`,
    ...withParts(command).flatMap(sectionOf),
  ]);
  return `${[...introduction(), ...sections].join("\n\n")}\n`;
}

function introduction(): string[] {
  const codes = Object.entries(EXITS).map(([code, says]) =>
    wrapped(`- \`${code}\`: ${says}`, "  "),
  );
  return [
    "# The command line",
    wrapped(
      "Made from the commands themselves; `./sluice help COMMAND` prints the same. Every command " +
        "finds the `./sluice up` that runs in its folder, and uses what that uses. Every setting " +
        "is also a flag: `--gap-timeout 10s` sets `SLUICE_GAP_TIMEOUT=10s` for one command " +
        "(`./sluice config` lists them).",
    ),
    wrapped(
      "Results go to standard output, and everything else to standard error. `--json` prints " +
        "JSON with the names and shapes of the HTTP API ([http.md](../http.md)). Colours " +
        "are shown on a terminal only, and not where `NO_COLOR` is set. `./sluice completion " +
        "bash` prints a script that completes commands and flags; likewise for zsh and fish.",
    ),
    "## Exit codes",
    codes.join("\n"),
    "A command whose codes mean something else says so in its section.",
  ];
}

function sectionOf(command: Command): string[] {
  const path = pathOf(command);
  const isGroup = command.commands.length > 0;
  const heading = command.parent?.parent ? [`### ${path}`] : [];
  const says = `${capital(command.description())}.`;
  if (isGroup) return [...heading, wrapped(says)];
  const lists = [
    ...command.registeredArguments.map((argument) =>
      item(`${argument.required ? "" : "optional: "}${argument.name()}`, argument.description),
    ),
    ...command.options
      .filter(({ hidden }) => !hidden)
      .map((option) => item(option.flags, about(option))),
  ];
  const main = mainSettings(path).map(({ flags, says }) => item(flags, says));
  const own = Object.entries(OWN_EXITS[path] ?? {}).map(([code, means]) => item(code, means));
  const examples = examplesFor(path).flatMap(({ line, says: does }) => [
    `# ${does}`,
    `./sluice ${line}`,
  ]);
  return [
    ...heading,
    wrapped(says),
    ["```text", usageOf(command), "```"].join("\n"),
    ...(lists.length > 0 ? [lists.join("\n")] : []),
    ...(main.length > 0 ? ["Settings that matter most here:", main.join("\n")] : []),
    ...(examples.length > 0 ? [["```sh", ...examples, "```"].join("\n")] : []),
    ...(own.length > 0 ? ["Exit codes:", own.join("\n")] : []),
  ];
}

function usageOf(command: Command): string {
  return `./sluice ${pathOf(command)} ${command.usage()}`.trimEnd();
}

function item(name: string, says: string): string {
  return wrapped(says === "" ? `- \`${name}\`` : `- \`${name}\`: ${escaped(says)}`, "  ");
}

/** Angle brackets and stars in a description are no markup. */
const escaped = (text: string): string =>
  text
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll(/[*|]/g, (char) => `\\${char}`);

function about({ description, defaultValue, mandatory }: Option): string {
  if (mandatory) return `${description} (required)`;
  const isPlain = typeof defaultValue === "string" || typeof defaultValue === "number";
  return isPlain && defaultValue !== "" ? `${description} (default: ${defaultValue})` : description;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Broken at spaces; later lines begin with `indent`. */
function wrapped(text: string, indent = ""): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && `${line} ${word}`.length > WIDTH) {
      lines.push(line);
      line = `${indent}${word}`;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join("\n");
}
