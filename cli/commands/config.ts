import type { Command } from "commander";
import { describeSettings, readSettings } from "../../core/settings/settings.ts";
import { flagOf } from "../flags.ts";
import { print, printJson } from "../output.ts";
import { table } from "../table.ts";

export function register(program: Command): void {
  program
    .command("config")
    .description("print every setting with its value, secrets masked")
    .option("--json", "print JSON", false)
    .action(({ json }: { json: boolean }) => {
      const rows = describeSettings(readSettings(process.env)).map(({ variable, value, says }) => ({
        variable,
        flag: flagOf(variable),
        value,
        says,
      }));
      if (json) printJson(rows);
      else print(table(process.stdout.isTTY ? rows.map(shortened) : rows));
    });
}

/** On a terminal a long value would push its explanation out of sight. */
const MAX_VALUE = 40;

function shortened<R extends { readonly value: unknown }>(row: R): R {
  const text = String(row.value);
  return text.length <= MAX_VALUE ? row : { ...row, value: `${text.slice(0, MAX_VALUE - 1)}…` };
}
