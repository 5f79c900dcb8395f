// sluice fulfil: an example fulfilment service, for trials and to copy from (docs/fulfilment.md).
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { NAME_PATTERN, NAME_RULE } from "../../core/domain/order.ts";
import { readSettings } from "../../core/settings/settings.ts";
import { whole } from "../arguments.ts";
import { startFulfil } from "../roles/fulfil.ts";
import { UsageError } from "../usage.ts";
import { runRole } from "./roles.ts";

interface Options {
  readonly service: string;
  readonly work: number;
  readonly file?: string;
}

const MAX_WORK_MS = 600_000;

export function register(program: Command): void {
  program
    .command("fulfil")
    .description(
      "run a fulfilment service that claims, packs and completes the parts of paid orders",
    )
    .requiredOption("--service <name>", "its name; it consumes fulfilment.<name>")
    .option("--work <ms>", "how long a part takes", whole(0, MAX_WORK_MS), 0)
    .option(
      "--file <path>",
      "packing list, shared by the service's processes (default: under the data folder)",
    )
    .action(({ service, work, file }: Options) => {
      if (!NAME_PATTERN.test(service) || service === "unrouted")
        throw new UsageError(`--service '${service}' must be ${NAME_RULE}`);
      const list = file ?? join(resolve(readSettings(process.env).dataDir), `packed-${service}.db`);
      return runRole("fulfil", (runtime, settings, id, log) =>
        startFulfil(runtime, settings, id, log, { service, file: list, workMs: work }),
      );
    });
}
