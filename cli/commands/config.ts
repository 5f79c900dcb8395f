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
      else print(table(rows));
    });
}
