// Runs `sluice dead redrive all` until it has gone through all dead letters.
import { messageOf } from "../../core/domain/message-of.ts";
import type { ChaosSystem } from "./system.ts";
import { until } from "./within.ts";

const WORKS_MS = 120_000;

/** Another fault of the same burst may keep a broker or the ledger away for a while. */
export async function redriveAll(system: Pick<ChaosSystem, "sluice">): Promise<void> {
  let last = "";
  const works = () =>
    system.sluice("dead", "redrive", "all").then(
      () => true,
      (error) => {
        last = messageOf(error);
        return isThrough(last);
      },
    );
  await until("'sluice dead redrive all' works", works, WORKS_MS).catch((error) => {
    throw new Error(`${messageOf(error)}; last: ${last}`);
  });
}

/**
 * Whether a run that ended with an error has seen every letter: its output then gives a reason for
 * each letter that stays. Some stay for longer than the fault waits, since an attempt whose result
 * is unknown keeps its letter until the provider answers.
 */
export function isThrough(error: string): boolean {
  if (error.includes("no such dead letters")) return true;
  const lines = error.replace("sluice dead redrive all: ", "").split("\n");
  return lines.every((line) => /^[0-9a-f]{8}: (?!not sent again)/.test(line));
}
