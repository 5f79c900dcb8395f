// bench/results/attacks.md.
import type { AttackResult, AttacksResult, Seen } from "./attacks.ts";
import { ATTACKS } from "./kinds.ts";

/** Another buyer's p99 at most twice as long, health below 50 ms. */
const MAX_TIMES = 2;
const MAX_HEALTH_MS = 50;

export function attacksPage(result: AttacksResult, machine: string): string {
  const rows = result.attacks.map(row);
  return [
    "# Attacks",
    "",
    `${result.at}, ${machine}, ${result.ledger}.`,
    "",
    `${result.seconds} s without and ${result.seconds} s under each attack. Another buyer places`,
    "50 orders a second, and `/healthz` is asked 20 times a second. The attacker runs on the same",
    "machine at the lowest priority.",
    "",
    "| attack | buyer p50, p99 | under attack | p99 × | health p99 | under attack | memory, MB |",
    "|---|---|---|---|---|---|---|",
    ...rows,
    "",
    ...result.attacks.flatMap(({ attack, done, under }) => [
      `- **${attack}**: ${ATTACKS[attack]}.`,
      `  - The attacker: ${listed(done)}.`,
      `  - The buyer's orders that were not accepted: ${listed(under.refused)}.`,
    ]),
    "",
  ].join("\n");
}

/** Whether an attack stays within what a gateway promises. */
export function holds({ calm, under }: AttackResult): boolean {
  return under.orderP99 <= MAX_TIMES * calm.orderP99 && under.healthP99 < MAX_HEALTH_MS;
}

function row(result: AttackResult): string {
  const { attack, calm, under, memoryMb } = result;
  const times = (under.orderP99 / calm.orderP99).toFixed(1);
  const { before, most, after } = memoryMb;
  const cells = [
    holds(result) ? attack : `**${attack}**`,
    spread(calm),
    spread(under),
    times,
    `${calm.healthP99} ms`,
    `${under.healthP99} ms`,
    `${before}, ${most} at most, ${after} after`,
  ];
  return `| ${cells.join(" | ")} |`;
}

function spread({ orderP50, orderP99 }: Seen): string {
  return `${orderP50}, ${orderP99} ms`;
}

function listed(counts: Readonly<Record<string, number>>): string {
  const entries = Object.entries(counts);
  if (entries.length === 0) return "none";
  return entries.map(([what, n]) => `${n.toLocaleString("en")} × ${what}`).join(", ");
}
