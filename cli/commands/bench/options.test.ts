import { expect, test } from "bun:test";
import { Command } from "commander";
import { register as registerLimits } from "./limits.ts";
import { register as registerScale } from "./scale.ts";

async function run(...args: string[]): Promise<void> {
  const bench = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  registerLimits(bench);
  registerScale(bench);
  for (const command of bench.commands)
    command.exitOverride().configureOutput({ writeErr: () => undefined });
  await bench.parseAsync(args, { from: "user" });
}

test("a dimension or a stage that does not exist is named, and nothing starts", async () => {
  await expect(run("scale", "--only", "workers,cores")).rejects.toThrow(
    "--only: 'cores' is not one of workers, gateways, shards, items, users, sockets, batch",
  );
  await expect(run("limits", "--only", "network")).rejects.toThrow(
    "--only: 'network' is not one of gateway, http, rabbitmq, redis, ledger",
  );
});

test("a length that is no whole number of seconds is refused", async () => {
  await expect(run("scale", "--seconds", "1")).rejects.toThrow("--seconds");
  await expect(run("limits", "--seconds", "x")).rejects.toThrow("--seconds");
});
