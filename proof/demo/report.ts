// The demo's report: one screen of text, and the same as a JSON object.

import { minorDigits } from "../../core/domain/currency.ts";
import { countWords } from "../../core/domain/finding-words.ts";
import { judgedLine } from "../protocol/judged.ts";
import { invariantLines, knownLines, type Paint } from "../verify/report.ts";
import type { Verdict } from "../verify/verify.ts";
import type { DemoResult } from "./demo.ts";
import { opinionLines } from "./independent.ts";

const number = (n: number): string => Math.round(n).toLocaleString("en");

export function demoLines(
  { plan, verdict, opinion, judged, tally, seconds, rushSeconds, killed }: DemoResult,
  seed: number,
  colours: Paint,
): string[] {
  const { counts, undrained } = verdict;
  const violations = violationsOf({ verdict, opinion, judged });
  const states = Object.entries(counts.states).map(([state, n]) => `${number(n)} ${state}`);
  const answers = [...tally.answers]
    .sort((a, b) => b[1] - a[1])
    .map(([answer, n]) => `${number(n)} × ${answer}`);
  const ends = {
    pass: colours.good(
      `  ✓ 0 violations: every order processed once and in order, no unit sold twice`,
    ),
    violations: colours.bad(`  ✗ ${countWords(violations, "violation")}`),
    inconclusive: colours.bad("  … inconclusive: not everything was decided in time"),
  };
  return [
    "",
    `  ${countWords(counts.orders, "order")} by HTTP and WebSocket for ` +
      `${countWords(plan.sale.items.length, "item")}, in two regions, seed ${seed}`,
    `  ${number(counts.duplicates)} sent again, some altered; ${killed} killed halfway`,
    "",
    row("answered", answers.join(", ")),
    row("accepted", `${countWords(counts.accepted, "order")} in ${rushSeconds.toFixed(1)} s`),
    row(
      "in the ledger",
      `${countWords(counts.ledgered, "order")} within ${seconds.toFixed(1)} s: ` +
        `${number(counts.ledgered / seconds)} a second`,
    ),
    row("outcomes", states.join(", ")),
    row(
      "payments",
      `${number(paidOf(counts.states))} paid, ` +
        `${number(counts.states.payment_failed ?? 0)} failed, ` +
        `${number(counts.states.cancelled ?? 0)} cancelled`,
    ),
    row(
      "charges",
      `${countWords(counts.retries, "retry", "retries")}, ${number(counts.refunded)} refunded, ` +
        `${number(counts.deadLettered)} dead-lettered`,
    ),
    row(
      "shipped parts",
      Object.entries(counts.services)
        .map(([service, n]) => `${service} ${number(n)}`)
        .join(", "),
    ),
    row(
      "by currency",
      Object.entries(counts.currencies)
        .map(([currency, minor]) => money(currency, minor))
        .join(", "),
    ),
    row("stock", `${number(counts.sold)} of ${number(counts.stock)} units sold`),
    "",
    ...invariantLines(verdict, colours),
    ...opinionLines(opinion, colours),
    ...judgedLines(judged, colours),
    ...knownLines(verdict, colours),
    ...undrained.map((reason) => `  … ${reason}`),
    "",
    ends[resultOf({ verdict, opinion, judged })],
    "",
  ];
}

type Found = Pick<DemoResult, "verdict" | "opinion" | "judged">;

/** What all checkers found. */
export function resultOf({ verdict, opinion, judged }: Found): Verdict["result"] {
  if (opinion.result === "violations" || judged?.flaw !== undefined) return "violations";
  return verdict.result;
}

function violationsOf({ verdict, opinion, judged }: Found): number {
  const { violations } = verdict.counts;
  const second = opinion.result === "none" ? 0 : opinion.violations;
  return violations + second + (judged?.flaw === undefined ? 0 : 1);
}

function judgedLines(judged: DemoResult["judged"], { good, bad }: Paint): string[] {
  if (!judged) return [];
  const line = judgedLine(judged);
  return [judged.flaw === undefined ? `  ${good("✓")} ${line}` : `  ${bad("✗")} ${line}`];
}

export function demoJson({ verdict, opinion, judged, seconds }: DemoResult): string {
  const { orders, accepted, decided, ledgered, sold, stock, duplicates } = verdict.counts;
  const violations = violationsOf({ verdict, opinion, judged });
  const { states, refunded, deadLettered, retries, services, currencies } = verdict.counts;
  const life = {
    paid: paidOf(states),
    dispatched: states.dispatched ?? 0,
    failed: states.payment_failed ?? 0,
    cancelled: states.cancelled ?? 0,
    refunded,
    deadLettered,
    retries,
    byService: services,
    byCurrency: currencies,
  };
  const rounded = Math.round(seconds * 1_000) / 1_000;
  const ordersPerSecond = Math.round(ledgered / seconds);
  return JSON.stringify({
    orders,
    accepted,
    decided,
    ledgered,
    sold,
    stock,
    duplicates,
    violations,
    ordersPerSecond,
    seconds: rounded,
    ...life,
  });
}

/** Orders paid, whether or not they have been dispatched. */
function paidOf(states: Readonly<Record<string, number>>): number {
  return (states.paid ?? 0) + (states.dispatched ?? 0);
}

/** Formats minor units for people: 1,234.50 EUR. */
function money(currency: string, minor: number): string {
  const digits = minorDigits(currency);
  const format = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return `${(minor / 10 ** digits).toLocaleString("en", format)} ${currency}`;
}

function row(name: string, text: string): string {
  return `  ${name.padEnd(15)} ${text}`;
}
