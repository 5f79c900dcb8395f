// The findings of a verification: violations by invariant, each with a count and its first
// examples, and reasons why it is inconclusive.

export const INVARIANTS = {
  I1: "every accepted order is in the ledger once, with one outcome",
  I2: "nothing in the ledger that nobody submitted",
  I3: "one effect per order, however often it was sent",
  I4: "each user's orders in sequence",
  I5: "no unit of stock lost, invented or sold twice",
  I6: "nobody pays twice, and provider and ledger agree",
  I7: "cancelled orders cost nothing",
  I8: "money adds up in every currency",
  I9: "queues and outboxes empty, dead letters known",
  I10: "refused requests had no effect",
  I11: "backlogs are bounded",
} as const;
export type Invariant = keyof typeof INVARIANTS;

/**
 * What an invariant was checked against. `ledger`: only the ledger with itself. `none`: nothing
 * that could show a violation was there to look at.
 */
export type Reach = "all" | "ledger" | "none";

export interface Violation {
  readonly invariant: Invariant;
  /** The rule that is broken, without the particulars. */
  readonly what: string;
  readonly count: number;
  readonly examples: readonly string[];
}

/** An unfinished matter that is on record: money owed, or letters that wait for the operator. */
export interface Known {
  readonly what: string;
  readonly count: number;
  readonly examples: readonly string[];
}

const MAX_EXAMPLES = 3;

export class Findings {
  private readonly found = new Map<
    string,
    { invariant: Invariant; what: string; count: number; examples: string[] }
  >();
  private readonly notes = new Map<string, { what: string; count: number; examples: string[] }>();
  /** Why the system is not at rest yet. */
  readonly undrained: string[] = [];

  violation(invariant: Invariant, what: string, example: string): void {
    const key = `${invariant} ${what}`;
    const entry = this.found.get(key) ?? { invariant, what, count: 0, examples: [] };
    this.found.set(key, entry);
    entry.count++;
    if (entry.examples.length < MAX_EXAMPLES) entry.examples.push(example);
  }

  /** Reports something that is not a violation. */
  note(what: string, example: string): void {
    const entry = this.notes.get(what) ?? { what, count: 0, examples: [] };
    this.notes.set(what, entry);
    entry.count++;
    if (entry.examples.length < MAX_EXAMPLES) entry.examples.push(example);
  }

  get known(): Known[] {
    return [...this.notes.values()];
  }

  waiting(reason: string): void {
    this.undrained.push(reason);
  }

  get violations(): Violation[] {
    const order = Object.keys(INVARIANTS);
    return [...this.found.values()].sort(
      (a, b) => order.indexOf(a.invariant) - order.indexOf(b.invariant),
    );
  }

  count(): number {
    return this.violations.reduce((sum, v) => sum + v.count, 0);
  }
}
