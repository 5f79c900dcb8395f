// The evidence about each order of one slice of users: what the clients sent, and what the ledger
// holds.
import type { CallResult, HistoryLine, SentBody } from "../history.ts";
import { rowBodyText, sentBodyText } from "./body.ts";
import type { Findings } from "./findings.ts";
import type { DecodedEntry } from "./journal.ts";
import type { PlacedRow } from "./rows.ts";

export interface Sending {
  readonly t0: number;
  readonly t1: number;
  /** The one region whose queue certainly has it; undefined: unknown, or one of several. */
  readonly region: string | undefined;
  readonly result: CallResult;
  readonly status: number;
  /** The problem that the answer named; empty if it named none. */
  readonly code: string;
  readonly body: string;
  /** What was asked for, if it was definitely refused. */
  readonly refused?: Pick<SentBody, "saleId" | "lines"> | undefined;
}

const UNANSWERED = { result: "info", status: 0, code: "" } as const;

export interface SentOrder {
  readonly user: string;
  readonly id: string;
  readonly sendings: Sending[];
  /** Cancels that may have been accepted. */
  cancels: number;
  /** States the clients received. */
  readonly told: string[];
}

export interface LedgerOrder {
  readonly user: string;
  readonly id: string;
  readonly saleId: string;
  readonly seq: number;
  readonly currency: string;
  readonly maxTotal: number;
  readonly acceptedAtMs: number;
  readonly lines: readonly { readonly sku: string; readonly qty: number }[];
  readonly body: string;
  readonly shard: number;
  readonly n: number;
  readonly message: number;
  readonly index: number;
  /** The message's number, as the order's record refers to it. */
  readonly key: number;
  /** Its first decision; a `parked` order changes when it is released. */
  readonly first: string;
  state: string;
  /** Every state it has had, in order. */
  readonly had: string[];
  /** A service has claimed one of its parts. */
  claimed: boolean;
  /** An attempt was given up with an unknown result, whatever was found out about it later. */
  givenUp: boolean;
  /** Goes up with each redrive. */
  generation: number;
  /**
   * Redis's clock at the decision that gave it its first state other than `parked`, or at the last
   * such decision if it was redriven.
   */
  decidedAtMs: number;
  /** Redis's clock at its last sending in the journal. */
  seenAtMs: number;
  /** Other bodies under its id that the journal decided as conflicts. */
  conflicts: number;
}

/** Selects the users of one pass, so that memory stays bounded whatever the history's length. */
export type Slice = (user: string) => boolean;

export const orderKey = (user: string, id: string): string => `${user} ${id}`;

export class Evidence {
  readonly sent = new Map<string, SentOrder>();
  readonly ledger = new Map<string, LedgerOrder>();
  /** `user id state` for every state that the current entry produces. */
  private ahead: ReadonlySet<string> = new Set();

  /** The ledger is read as of `clockMs`, so what clients received later proves nothing about it. */
  constructor(
    private readonly slice: Slice,
    private readonly findings: Findings,
    private readonly clockMs = Number.POSITIVE_INFINITY,
  ) {}

  line(line: HistoryLine): void {
    if (line.op === "skip" || !this.slice(line.user)) return;
    const order = this.sentOrder(line.user, line.id);
    if (line.op === "outcome") {
      if (line.t <= this.clockMs) order.told.push(line.state);
      return;
    }
    const late = line.t1 > this.clockMs;
    // 200: it was cancelled; 202: the cancel is on its way.
    if (line.op === "cancel") {
      if (late || line.result !== "fail") order.cancels++;
      if (!late && line.status === 200) order.told.push("cancelled");
      return;
    }
    const { t0, t1 } = line;
    const { result, status, code } = late ? UNANSWERED : line;
    // A gateway may have used another region for a call that it did not answer.
    const region = result === "ok" && !line.region.includes(",") ? line.region : undefined;
    const refused = result === "fail" ? line.body : undefined;
    const body = sentBodyText(line.body);
    order.sendings.push({ t0, t1, region, result, status, code, body, refused });
  }

  entry(entry: DecodedEntry): void {
    // An order may be paid and cancelled in one entry, and resent in between.
    this.ahead = new Set(entry.steps.map(({ user, id, what }) => `${orderKey(user, id)} ${what}`));
    for (const { row, effect, state, key, message, index } of entry.decided) {
      if (row.kind !== "o" || !this.slice(row.user)) continue;
      if (effect === "fresh") this.decide(entry, row, state, { key, message, index });
      else if (effect === "known" || effect === "conflict") this.again(entry, row, effect, state);
    }
    for (const { row, state } of entry.released)
      if (this.slice(row.user)) this.release(entry, row, state);
    for (const { what, user, id, generation, detail } of entry.steps) {
      if (!this.slice(user)) continue;
      const key = orderKey(user, id);
      if (what === "claimed" || what === "done") this.worked(entry, key, what);
      else if (what === "redriven") this.redriven(entry, key, generation, detail);
      else if (what === "given_up") this.gaveUp(key);
      else if (!BESIDE.has(what)) this.move(entry, key, what);
    }
  }

  private redriven(entry: DecodedEntry, key: string, generation: number, state: string): void {
    const known = this.ledger.get(key);
    if (known?.state !== "payment_failed")
      this.findings.violation(
        "I3",
        "an order was redriven whose payment had not failed",
        `${key}: ${known?.state} ${place(entry)}`,
      );
    else {
      known.state = state;
      known.had.push(state);
      known.generation = generation;
      known.decidedAtMs = entry.atMs;
    }
  }

  private gaveUp(key: string): void {
    const known = this.ledger.get(key);
    if (known) known.givenUp = true;
  }

  /** Services may work only on paid orders, and a claimed order must be completed. */
  private worked(entry: DecodedEntry, key: string, what: "claimed" | "done"): void {
    const known = this.ledger.get(key);
    if (known?.state !== "paid" || (what === "done" && !known.claimed))
      this.findings.violation(
        "I7",
        "a service worked on an order that it must not work on",
        `${key}: ${what} while ${known?.state} ${place(entry)}`,
      );
    else known.claimed = true;
  }

  private move(entry: DecodedEntry, key: string, state: string): void {
    const known = this.ledger.get(key);
    if (!known || !AFTER[state]?.includes(known.state)) {
      this.findings.violation(
        "I1",
        "an order changed to a state that cannot follow its last one",
        `${key}: ${known?.state} to ${state} ${place(entry)}`,
      );
      return;
    }
    if (state === "cancelled" && known.claimed)
      this.findings.violation(
        "I7",
        "an order was cancelled though a service had claimed it",
        `${key} ${place(entry)}`,
      );
    known.state = state;
    known.had.push(state);
  }

  private sentOrder(user: string, id: string): SentOrder {
    const key = orderKey(user, id);
    let order = this.sent.get(key);
    if (!order) {
      order = { user, id, sendings: [], cancels: 0, told: [] };
      this.sent.set(key, order);
    }
    return order;
  }

  private decide(
    entry: DecodedEntry,
    row: PlacedRow,
    state: string,
    at: { key: number; message: number; index: number },
  ): void {
    const key = orderKey(row.user, row.id);
    const known = this.ledger.get(key);
    if (known) {
      this.findings.violation(
        "I3",
        "an order was decided twice",
        `${key}: ${known.state} in ${known.shard}-${known.n}, ${state} ${place(entry)}`,
      );
      return;
    }
    const { payment: _, metadata: __, ...placed } = row;
    const { shard, n, atMs } = entry;
    const order = { ...placed, body: rowBodyText(row), shard, n, ...at };
    this.ledger.set(key, {
      ...order,
      first: state,
      state,
      had: [state],
      claimed: false,
      givenUp: false,
      generation: 1,
      decidedAtMs: atMs,
      seenAtMs: atMs,
      conflicts: 0,
    });
  }

  /**
   * A later sending in the journal. It must have found the first, compared bodies, and returned the
   * order's state.
   */
  private again(
    entry: DecodedEntry,
    row: PlacedRow,
    effect: "known" | "conflict",
    state: string,
  ): void {
    const key = orderKey(row.user, row.id);
    const known = this.ledger.get(key);
    if (!known) {
      this.findings.violation(
        "I1",
        "a resend found an order that is not in the journal",
        `${key} ${place(entry)}`,
      );
      return;
    }
    known.seenAtMs = entry.atMs;
    const same = rowBodyText(row) === known.body;
    if (effect === "conflict") known.conflicts++;
    if (same && effect === "conflict")
      this.findings.violation(
        "I3",
        "an exact resend was treated as a conflict",
        `${key} ${place(entry)}`,
      );
    if (!same && effect === "known" && known.state !== "rejected") {
      this.findings.violation(
        "I3",
        "an altered resend was treated as the original",
        `${key} ${place(entry)}`,
      );
    }
    // The orders that this entry releases follow its rows, so a state may be one step ahead.
    if (state !== known.state && known.state !== "parked" && !this.ahead.has(`${key} ${state}`)) {
      this.findings.violation(
        "I3",
        "a resend received a different outcome",
        `${key}: ${state}, not ${known.state}, ${place(entry)}`,
      );
    }
  }

  private release(entry: DecodedEntry, row: PlacedRow, state: string): void {
    const key = orderKey(row.user, row.id);
    const known = this.ledger.get(key);
    if (known?.state !== "parked") {
      this.findings.violation(
        "I3",
        "an order was released that was not parked",
        `${key}: ${known?.state ?? "unknown"} ${place(entry)}`,
      );
      return;
    }
    if (rowBodyText(row) !== known.body)
      this.findings.violation(
        "I3",
        "a parked order changed while it waited",
        `${key} ${place(entry)}`,
      );
    known.state = state;
    known.had.push(state);
    known.decidedAtMs = entry.atMs;
  }
}

/** Steps that do not change the order's state. */
const BESIDE = new Set(["start", "charge_failed", "refund", "claimed", "done"]);
/** The state that a step produces → the states it may follow. */
const AFTER: Readonly<Record<string, readonly string[]>> = {
  paid: ["reserved"],
  payment_failed: ["reserved"],
  expired: ["reserved"],
  cancelled: ["reserved", "paid"],
  dispatched: ["paid"],
};

function place(entry: DecodedEntry): string {
  return `in entry ${entry.shard}-${entry.n}`;
}
