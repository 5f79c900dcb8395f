// The second opinion at the end of a demo: the independent checker's, where Go is installed.
import { countWords } from "../../core/domain/finding-words.ts";
import { type CheckReport, checkHistory, NoChecker } from "../checker/run.ts";
import type { Paint } from "../verify/report.ts";

/** `why`: it gave no result. */
export type Opinion = CheckReport | { readonly result: "none"; readonly why: string };

export async function secondOpinion(eventsPath: string): Promise<Opinion> {
  try {
    return await checkHistory([eventsPath]);
  } catch (error) {
    if (!(error instanceof NoChecker)) throw error;
    return { result: "none", why: error.message };
  }
}

export function opinionLines(opinion: Opinion, { good, bad, faint }: Paint): string[] {
  if (opinion.result === "none") return [`  ! no second opinion: ${opinion.why}`];
  const { users, items, orders, calls, unknown, violations, findings, undecided } = opinion;
  const count = (n: number) => n.toLocaleString("en");
  const judged =
    `${countWords(calls, "call")} (${count(unknown)} unknown) of ${countWords(users, "user")}, ` +
    `${countWords(orders, "order")}, ${countWords(items, "item")}`;
  if (violations === 0) {
    const left = Object.entries(undecided).map(([why, n]) => `  … ${count(n)} ${why}`);
    return [`  ${good("✓")} the clients' history alone shows the same: ${judged}`, ...left];
  }
  return [
    `  ${bad("✗")} the clients' history alone shows ` +
      `${countWords(violations, "violation")}: ${judged}`,
    ...findings.flatMap(({ invariant, what, who, events = [] }) => [
      `         ${bad(`${invariant} ${what}`)}: ${who}`,
      ...events.map((event) => faint(`           ${event.slice(0, 200)}`)),
    ]),
  ];
}
