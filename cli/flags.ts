// Settings as flags: `--gap-timeout 10s` or `--gap-timeout=10s` sets SLUICE_GAP_TIMEOUT=10s for one
// command.
import { at } from "../core/domain/at.ts";
import { settingVariables } from "../core/settings/settings.ts";
import { UsageError } from "./usage.ts";

/** `SLUICE_GAP_TIMEOUT` → `--gap-timeout`. */
export function flagOf(variable: string): string {
  return `--${variable
    .replace(/^SLUICE_/, "")
    .toLowerCase()
    .replaceAll("_", "-")}`;
}

/**
 * Splits a command line into settings given as flags and the remaining arguments. `own`: flags of
 * the command itself, which mean what they mean there.
 */
export function takeSettingFlags(
  argv: readonly string[],
  own: ReadonlySet<string> = new Set(),
): {
  settings: Record<string, string>;
  rest: string[];
} {
  const variables = new Map(
    settingVariables()
      .map((variable) => [flagOf(variable), variable] as const)
      .filter(([flag]) => !own.has(flag)),
  );
  const settings: Record<string, string> = {};
  const rest: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const argument = at(argv, i);
    const [flag = "", ...value] = argument.split("=");
    const variable = variables.get(flag);
    if (variable === undefined) {
      rest.push(argument);
      continue;
    }
    const given = value.length > 0 ? value.join("=") : argv[++i];
    if (given === undefined || given.startsWith("--"))
      throw new UsageError(`${flag} needs a value (${variable})`);
    settings[variable] = given;
  }
  return { settings, rest };
}
