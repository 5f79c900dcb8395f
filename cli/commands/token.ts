import { type Command, InvalidArgumentError } from "commander";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { readSettings } from "../../core/settings/settings.ts";
import { mintToken } from "../token.ts";

const MAX_HOURS = 24 * 365;

export function register(program: Command): void {
  program
    .command("token")
    .description("mint a token for trials")
    .requiredOption("--user <name>", "whose token it is")
    .option("--scope <words>", "service, viewer and/or operator", "")
    .option("--hours <n>", "until it expires", hours, 1)
    .action(async (options: { user: string; scope: string; hours: number }) => {
      process.stdout.write(`${await mintToken(readSettings(process.env), options)}\n`);
    });
  program
    .command("id")
    .description("print a new order id (UUIDv7)")
    .action(() => {
      process.stdout.write(`${realRuntime.uuidV7()}\n`);
    });
}

function hours(value: string): number {
  const n = Number(value);
  if (!(n > 0 && n <= MAX_HOURS))
    throw new InvalidArgumentError(`hours must be a number up to ${MAX_HOURS}`);
  return n;
}
