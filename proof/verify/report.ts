// The verdict as text: a line per invariant, then the violations with examples.
import { plain } from "../../core/domain/plain.ts";
import { INVARIANTS, type Invariant } from "./findings.ts";
import type { Compared, Verdict } from "./verify.ts";

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

/** What an invariant is about besides the ledger. */
const WITNESSES: Partial<Record<Invariant, keyof Compared>> = {
  I1: "history",
  I2: "history",
  I6: "provider",
  I10: "history",
};

const ABSENT: Readonly<Record<keyof Compared, string>> = {
  history: "what clients sent and received was not compared (--history)",
  provider: "the payment provider's record was not compared (--provider, SLUICE_PROVIDER_URL)",
  packed: "the services' packing lists were not compared (--packed)",
};

export function invariantLines(
  { violations, compared }: Verdict,
  { good, bad, faint }: Paint,
): string[] {
  const lines: string[] = [];
  for (const [id, says] of Object.entries(INVARIANTS) as [Invariant, string][]) {
    const broken = violations.filter((v) => v.invariant === id);
    const witness = WITNESSES[id];
    const alone = broken.length === 0 && witness !== undefined && !compared[witness];
    const mark = alone ? faint("○") : broken.length === 0 ? good("✓") : bad("✗");
    lines.push(`  ${mark} ${id.padEnd(4)} ${says}`);
    for (const { what, count, examples } of broken) {
      lines.push(`         ${bad(`${what} (${count.toLocaleString("en")})`)}`);
      for (const example of examples)
        lines.push(faint(`           ${plain(example.slice(0, 200))}`));
    }
  }
  return lines;
}

/** What `○` means, and how to have it compared. */
function absentLines({ compared, atRest }: Verdict): string[] {
  const absent = (Object.keys(ABSENT) as (keyof Compared)[]).filter(
    (name) => !compared[name] && (atRest || name === "history"),
  );
  if (absent.length === 0) return [];
  return [
    "",
    "  not compared (○: checked in the ledger alone)",
    ...absent.map((name) => `    ${ABSENT[name]}`),
  ];
}

/** Findings that are not violations. */
export function knownLines({ known }: Verdict, { faint }: Paint): string[] {
  return known.flatMap(({ what, count, examples }) => [
    `  ! ${count.toLocaleString("en")} ${what}`,
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
  lines.push(...absentLines(verdict));
  const states = Object.entries(counts.states).map(
    ([state, n]) => `${n.toLocaleString("en")} ${state}`,
  );
  lines.push("", `  ledger: ${states.length === 0 ? "no orders" : states.join(", ")}`);
  const words = {
    pass: colours.good(
      wholly(verdict)
        ? "every invariant holds"
        : "every invariant holds, as far as it was compared",
    ),
    violations: colours.bad(`${counts.violations.toLocaleString("en")} violations`),
    inconclusive: "inconclusive: not everything has been decided yet",
  };
  return [...lines, `  ${words[result]}`];
}

/** Whether each invariant was compared with its witness. */
function wholly({ compared }: Verdict): boolean {
  return Object.values(WITNESSES).every((witness) => compared[witness]);
}
