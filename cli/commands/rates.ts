// sluice rates list, accept, refuse: the exchange rates in use, and those that jumped and wait for
// an operator. `sluice rates` alone runs the role that publishes them (roles.ts).
import type { Command } from "commander";
import { plainJson } from "../../core/domain/plain.ts";
import { wrongPair, wrongValue } from "../../core/domain/rate.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { SettingError, type Settings } from "../../core/settings/settings.ts";
import type { Ledger } from "../../ledger/contract.ts";
import { withLedger } from "../ledger.ts";
import { commandLine, onRecord } from "../operator/on-record.ts";
import { type RatesByHand, ratesByHand } from "../operator/rates-by-hand.ts";
import { openRedis } from "../roles/parts.ts";
import { table } from "../table.ts";
import { UsageError } from "../usage.ts";

export function registerRates(rates: Command): void {
  rates
    .command("list")
    .description("the rates in use, and those that jumped and wait for an operator")
    .option("--json", "print JSON", false)
    .action(({ json }: { json: boolean }) => withRates((byHand) => show(byHand, json)));
  for (const [verdict, what] of [
    ["accept", "use a rate that waits"],
    ["refuse", "ignore a rate that waits, until the source sends one that fits"],
  ] as const)
    rates
      .command(`${verdict} <pair> [value]`)
      .description(`${what}; value: as 'rates list' shows it`)
      .option("--ref <text>", "your reference for this change, such as a ticket")
      .action((pair: string, value: string | undefined, { ref }: { ref?: string }) =>
        settle(verdict, pair, value, ref),
      );
}

type Open = { readonly ledger: Ledger; readonly settings: Settings };

async function withRates(work: (byHand: RatesByHand, open: Open) => Promise<void>): Promise<void> {
  await withLedger(async (open) => {
    const redis = await openRedis(realRuntime, open.settings, () => undefined);
    const { ledger, settings } = open;
    await work(ratesByHand(ledger, redis, settings), open).finally(() => redis.close());
  });
}

async function show(byHand: RatesByHand, json: boolean): Promise<void> {
  const { rates, waiting } = await byHand.list();
  if (json) {
    process.stdout.write(`${plainJson({ rates, waiting })}\n`);
    return;
  }
  const time = (ms: number) => new Date(ms).toISOString();
  process.stdout.write(
    table(rates.map(({ pair, value, atMs }) => ({ pair, value, at: time(atMs) }))),
  );
  if (waiting.length === 0) return;
  const rows = waiting.map(({ pair, last, value, state, sinceMs }) => ({
    ...{ pair, last, value, state, since: time(sinceMs) },
  }));
  process.stdout.write(`\nNot used, because they jumped:\n${table(rows)}`);
}

async function settle(
  verdict: "accept" | "refuse",
  pair: string,
  given: string | undefined,
  ref = realRuntime.uuid(),
): Promise<void> {
  const wrong = wrongPair(pair) ?? (given === undefined ? undefined : wrongValue(given));
  if (wrong !== undefined) throw new UsageError(wrong);
  if (!/^[\x21-\x7e]{1,128}$/.test(ref))
    throw new UsageError("--ref must be 1 to 128 printable characters without spaces");
  await withRates(async (byHand, { ledger }) => {
    const { waiting } = await byHand.list();
    const value = given ?? waiting.find((rate) => rate.pair === pair)?.value;
    if (value === undefined) throw new SettingError(`no rate of ${pair} is held`);
    const deed = { action: `rates.${verdict}`, target: pair, detail: { value, ref } };
    await onRecord(ledger, deed, async () => {
      const settled = await byHand.settle({ verdict, pair, value, ref }, commandLine());
      if (settled.result === "ref_conflict")
        throw new SettingError(`--ref '${ref}' was used for another change`);
      if (settled.result === "not_waiting")
        throw new SettingError(
          settled.now === undefined
            ? `no rate of ${pair} is held`
            : `no rate of ${pair} near ${value} is held; the held one is ${settled.now}`,
        );
      const later = settled.applied ? "" : "; Redis does not answer, and gets it later";
      process.stdout.write(
        `${pair} ${value} ${verdict}${verdict === "accept" ? "ed" : "d"}${later}\n`,
      );
    });
  });
}
