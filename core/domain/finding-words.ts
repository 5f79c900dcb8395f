// Small pieces of a finding's sentence.
import type { RoleReport } from "./report.ts";

/** A role's kind, in words. */
export const KIND_WORDS: Readonly<Record<RoleReport["kind"], string>> = {
  gateway: "gateway",
  worker: "worker",
  payments: "payment worker",
  fulfil: "service",
  rates: "rate source",
  sender: "webhook sender",
};

/** `3 shards`, `1 shard`; `many` if an s is not enough. */
export function countWords(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

/** `a, b and c`; none of them twice. */
export function and(names: readonly string[]): string {
  const once = [...new Set(names)];
  const last = once.pop();
  if (last === undefined) return "";
  return once.length === 0 ? last : `${once.join(", ")} and ${last}`;
}

const UNITS = [
  { ms: 86_400_000, name: "d" },
  { ms: 3_600_000, name: "h" },
  { ms: 60_000, name: "min" },
] as const;

/** `12 s`, `3 min`, `2 h`, rounded down. */
export function ageWords(ms: number): string {
  const unit = UNITS.find((u) => ms >= u.ms);
  return unit
    ? `${Math.floor(ms / unit.ms)} ${unit.name}`
    : `${Math.max(0, Math.floor(ms / 1_000))} s`;
}
