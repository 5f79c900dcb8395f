// I4 for numbered orders, and I11 for parked ones: follows each user's numbers through the journal
// and checks that every order was decided when its number was due, or passed over only for a
// reason.
//
// An entry lists its rows first and the orders they released after, though the two alternated. So
// rows are compared with rows and released orders with released orders, and whether a number was
// due is judged at the end of the entry.
import { RULES } from "../../../core/domain/limits.ts";
import type { Slice } from "../evidence.ts";
import type { Findings } from "../findings.ts";
import type { DecodedEntry } from "../journal.ts";

interface Turn {
  next: number;
  /** Numbers ahead of their turn: the order waits, or the number was given up. */
  readonly ahead: Map<number, "parked" | "given">;
  /** Numbers decided in the current entry. */
  readonly decided: number[];
  readonly superseded: { seq: number; id: string }[];
  /** The next number that the current entry names, after it gave up a gap; 0 if it names none. */
  passed: number;
  /** A lower bound of how many waited at one moment of the current entry. */
  peak: number;
  /** The gap may have been abandoned without a trace: only given-up numbers waited behind it. */
  loose: boolean;
}

const FRESH = { peak: 0, loose: false } as const;

export class TurnsCheck {
  private readonly turns = new Map<string, Turn>();

  constructor(
    private readonly slice: Slice,
    private readonly findings: Findings,
  ) {}

  entry(entry: DecodedEntry): void {
    const touched = new Map<string, Turn>();
    const lastRow = new Map<string, number>();
    for (const { row, effect, state } of entry.decided) {
      const { user, saleId, seq } = row;
      if (seq === 0 || (effect !== "fresh" && effect !== "skipped") || !this.slice(user)) continue;
      const turn = this.touch(touched, saleId, user);
      if (effect === "skipped" || state === "rejected" || state === "stale")
        this.wait(turn, seq, "given");
      else if (state === "parked") this.park(turn, user, seq);
      else if (state === "superseded") turn.superseded.push({ seq, id: row.id });
      else {
        this.ascending(lastRow, `${saleId} ${user}`, seq, entry);
        turn.decided.push(seq);
      }
    }
    const lastReleased = new Map<string, number>();
    for (const { row } of entry.released) {
      const { user, saleId, seq } = row;
      // Without a number, it waited for a rate.
      if (seq === 0 || !this.slice(user)) continue;
      const name = `${saleId} ${user}`;
      const turn = this.touch(touched, saleId, user);
      if (entry.kind === "unpark" && !lastReleased.has(name)) this.giveUp(turn, seq);
      this.ascending(lastReleased, name, seq, entry);
      turn.decided.push(seq);
    }
    for (const { user, saleId, next } of entry.passed)
      if (this.slice(user)) this.touch(touched, saleId, user).passed = next;
    if (entry.kind === "unpark") this.loosen();
    for (const [name, turn] of touched) this.settle(name, turn, entry);
  }

  private touch(touched: Map<string, Turn>, saleId: string, user: string): Turn {
    const name = `${saleId} ${user}`;
    let turn = this.turns.get(name);
    if (!turn) {
      turn = { next: 1, ahead: new Map(), decided: [], superseded: [], passed: 0, ...FRESH };
      this.turns.set(name, turn);
    }
    touched.set(name, turn);
    return turn;
  }

  private park(turn: Turn, user: string, seq: number): void {
    if (turn.ahead.has(seq))
      this.findings.violation("I4", "two orders wait under one number", `${user}, number ${seq}`);
    this.wait(turn, seq, "parked");
  }

  private wait(turn: Turn, seq: number, what: "parked" | "given"): void {
    turn.ahead.set(seq, what);
    turn.peak = Math.max(turn.peak, turn.ahead.size);
  }

  private ascending(
    last: Map<string, number>,
    name: string,
    seq: number,
    entry: DecodedEntry,
  ): void {
    const before = last.get(name);
    if (before !== undefined && before >= seq) {
      this.findings.violation(
        "I4",
        "numbers were decided out of order",
        `${name}: ${seq} after ${before} in entry ${entry.shard}-${entry.n}`,
      );
    }
    last.set(name, seq);
  }

  /** The gap before this number lasted too long. */
  private giveUp(turn: Turn, seq: number): void {
    for (const number of turn.ahead.keys()) if (number < seq) turn.ahead.delete(number);
    if (seq > turn.next) turn.next = seq;
  }

  private loosen(): void {
    for (const turn of this.turns.values()) {
      if (turn.ahead.size > 0 && [...turn.ahead.values()].every((what) => what === "given"))
        turn.loose = true;
    }
  }

  private settle(name: string, turn: Turn, entry: DecodedEntry): void {
    const where = `in entry ${entry.shard}-${entry.n}`;
    turn.decided.sort((a, b) => a - b);
    for (const seq of turn.decided) {
      advance(turn);
      turn.ahead.delete(seq);
      if (turn.loose && seq > turn.next) this.giveUp(turn, seq);
      if (seq > turn.next)
        this.findings.violation(
          "I4",
          "a number was decided before its turn",
          `${name}: ${seq}, ${turn.next} due, ${where}`,
        );
      else if (seq < turn.next)
        this.findings.violation(
          "I4",
          "a number was decided after its turn",
          `${name}: ${seq}, ${turn.next} due, ${where}`,
        );
      turn.next = Math.max(turn.next, seq + 1);
    }
    if (turn.passed > turn.next) this.giveUp(turn, turn.passed);
    advance(turn);
    for (const { seq, id } of turn.superseded) {
      const passed =
        seq < turn.next || turn.ahead.has(seq) || turn.peak >= RULES.MAX_PARKED || turn.loose;
      if (!passed)
        this.findings.violation(
          "I4",
          "an order was superseded though its number had not passed",
          `${name}: ${seq} (${id}) ${where}`,
        );
    }
    if (turn.ahead.size > RULES.MAX_PARKED)
      this.findings.violation(
        "I11",
        `more than ${RULES.MAX_PARKED} of a user's orders wait`,
        `${name} ${where}`,
      );
    if (turn.ahead.size === 0) turn.loose = false;
    turn.peak = turn.ahead.size;
    turn.decided.length = 0;
    turn.superseded.length = 0;
    turn.passed = 0;
  }
}

/** Given-up numbers that are due have passed; orders behind them no longer wait. */
function advance(turn: Turn): void {
  while (turn.ahead.get(turn.next) === "given") turn.ahead.delete(turn.next++);
  for (const seq of turn.ahead.keys()) if (seq < turn.next) turn.ahead.delete(seq);
}
