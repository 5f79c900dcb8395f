// How many orders share a message, a call to Redis and a commit, from the roles' own metrics.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { realRuntime } from "../core/runtime/runtime.ts";
import type { Stack } from "../proof/demo/stack.ts";

/** Counts since the roles started. */
export interface Units {
  readonly accepted: number;
  readonly messages: number;
  readonly decided: number;
  readonly calls: number;
  readonly commits: number;
}

/** Orders for each; undefined if nothing was counted. */
export interface Batching {
  readonly perMessage?: number;
  readonly perCall?: number;
  readonly perCommit?: number;
}

const ANSWER_MS = 2_000;

/** Undefined if a role does not answer: then no difference of counts would be right. */
export async function unitsOf(stack: Stack): Promise<Units | undefined> {
  const texts = await Promise.all(addressesOf(stack).map(metricsAt)).catch(() => undefined);
  if (!texts) return undefined;
  const sum = (name: string) => texts.reduce((total, text) => total + sampleOf(text, name), 0);
  return {
    accepted: sum("sluice_orders_accepted_total"),
    messages: sum("sluice_gateway_batches_total"),
    decided: sum("sluice_decide_batch_orders_sum"),
    calls: sum("sluice_decide_batch_orders_count"),
    commits: sum("sluice_commit_seconds_count"),
  };
}

export function batchingBetween(before: Units | undefined, after: Units | undefined): Batching {
  if (!before || !after) return {};
  const grown = (what: keyof Units) => after[what] - before[what];
  const ratio = (orders: number, units: number) => (units > 0 ? orders / units : undefined);
  const all = {
    perMessage: ratio(grown("accepted"), grown("messages")),
    perCall: ratio(grown("decided"), grown("calls")),
    perCommit: ratio(grown("decided"), grown("commits")),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

export function batchingText({ perMessage, perCall, perCommit }: Batching): string {
  const one = (what: string, value?: number) =>
    value === undefined ? [] : [`${value.toFixed(1)} ${what}`];
  const each = [
    ...one("a message", perMessage),
    ...one("a call to Redis", perCall),
    ...one("a commit", perCommit),
  ];
  return each.length === 0 ? "" : `Orders share their way: ${each.join(", ")}.`;
}

/** The sum of the samples of this name in a metrics text. */
export function sampleOf(text: string, name: string): number {
  const samples = text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, "gm"));
  return [...samples].reduce((sum, [, value]) => sum + Number(value), 0);
}

/** The address of each role's metrics, as it wrote it for Prometheus. */
function addressesOf({ fleet }: Stack): string[] {
  const files = readdirSync(fleet.metricsDir).filter((file) => file.endsWith(".json"));
  return files.flatMap((file) => {
    const groups = JSON.parse(readFileSync(join(fleet.metricsDir, file), "utf8"));
    return (groups as { targets: string[] }[]).flatMap(({ targets }) => targets);
  });
}

async function metricsAt(address: string): Promise<string> {
  const signal = realRuntime.abortAfter(ANSWER_MS);
  return (await fetch(`http://${address}/metrics`, { signal })).text();
}
