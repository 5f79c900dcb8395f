// The verdict as text: a line per invariant, then the violations with examples.
import { countWords } from "../../core/domain/finding-words.ts";
import { plain } from "../../core/domain/plain.ts";
import { INVARIANTS, type Invariant, type Reach } from "./findings.ts";
import type { Verdict } from "./verify.ts";

export interface Paint {
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly faint: (text: string) => string;
}

/** Colours for a terminal, plain text otherwise. */
export function paint(terminal: boolean): Paint {
  const code = (n: number) => (text: string) => (terminal ? `\u001b[${n}m${text}\u001b[0m` : text);
  return { good: code(32), bad: code(31), faint: code(2) };
}

const MARKS = { all: "✓", ledger: "~", none: "–" } as const satisfies Record<Reach, string>;

export function invariantLines(
  { violations, reach }: Verdict,
  { good, bad, faint }: Paint,
): string[] {
  const lines: string[] = [];
  for (const [id, says] of Object.entries(INVARIANTS) as [Invariant, string][]) {
    const broken = violations.filter((v) => v.invariant === id);
    const held = reach[id] === "all" ? good(MARKS.all) : MARKS[reach[id]];
    lines.push(`  ${broken.length === 0 ? held : bad("✗")} ${id.padEnd(4)} ${says}`);
    for (const { what, count, examples } of broken) {
      lines.push(`         ${bad(`${what} (${count.toLocaleString("en")})`)}`);
      for (const example of examples)
        lines.push(faint(`           ${plain(example.slice(0, 200))}`));
    }
  }
  return lines;
}

/** Findings that are not violations. */
export function knownLines({ known }: Verdict, { faint }: Paint): string[] {
  return known.flatMap(({ what, count, examples }) => [
    `  ! ${what} (${count.toLocaleString("en")})`,
    ...examples.map((example) => faint(`           ${plain(example.slice(0, 200))}`)),
  ]);
}

export function verdictLines(verdict: Verdict, colours: Paint): string[] {
  const { result, counts, undrained } = verdict;
  const lines = invariantLines(verdict, colours);
  lines.push(...knownLines(verdict, colours));
  for (const reason of undrained) lines.push(`  … ${plain(reason)}`);
  if (!verdict.atRest)
    lines.push("  … still busy: Redis, queues, provider and services were not compared");
  const states = Object.entries(counts.states).map(
    ([state, n]) => `${n.toLocaleString("en")} ${state}`,
  );
  lines.push("", `  ledger: ${states.length === 0 ? "no orders" : states.join(", ")}`);
  const words = {
    pass: passed(verdict, colours),
    violations: colours.bad(countWords(counts.violations, "violation")),
    inconclusive: "inconclusive: not everything has been decided yet",
  };
  return [...lines, `  ${words[result]}`];
}

/** Says what was not looked at, and what would show it. */
function passed({ reach }: Verdict, { good }: Paint): string {
  const reached = (one: Reach) =>
    Object.entries(reach).flatMap(([id, as]) => (as === one ? [id] : []));
  const [ledger, none] = [reached("ledger"), reached("none")];
  if (ledger.length + none.length === 0) return good("every invariant holds");
  const clients = ledger.some((id) => id !== "I6") || none.length > 0;
  return [
    good("no violation, as far as it was checked"),
    ...(ledger.length > 0 ? [`~ in the ledger alone: ${ledger.join(", ")}`] : []),
    ...(none.length > 0 ? [`– not checked: ${none.join(", ")}`] : []),
    ...(clients ? ["what clients saw would show these: --history, without --partial"] : []),
    ...(reach.I6 === "ledger" ? ["the provider's record would show I6: --provider"] : []),
  ].join("\n  ");
}
