// An operator may declare that accepted orders are unknown, since the region that had them is lost
// for good (`sluice recover --lost`). For both checkers such an acceptance becomes a call without
// an answer: it may still take effect, or never. Only acceptances before the loss do, and only
// those on the operator's list, and copies in that region of orders that were accepted besides;
// whatever else was lost is a violation.
import { readFileSync, writeFileSync } from "node:fs";

export interface TakenBack {
  readonly user: string;
  readonly id: string;
  /** The cancel, not the order. */
  readonly cancel?: boolean;
}

/** What an operator listed, of which region, and when that was lost (historyNow()). */
export interface LostList {
  readonly orders: readonly TakenBack[];
  readonly region: string;
  readonly beforeMs: number;
}

export function takeBackIn(
  lists: readonly LostList[],
  historyFile: string,
  eventsFile: string,
): void {
  if (lists.length === 0) return;
  const lostAtMs = timesOf(lists);
  const calls = readLines<HistoryCall>(historyFile);
  const copies = new Set(lists.flatMap((list) => copiesIn(list, calls)));
  const unknown = (call: HistoryCall) => copies.has(call) || listed(lostAtMs, call);
  writeLines(
    historyFile,
    calls.map((call) => (unknown(call) ? { ...call, result: "info", status: 0 } : call)),
  );
  writeLines(eventsFile, readLines<EventLine>(eventsFile).map(inEvents(lostAtMs)));
}

/** A line of verify's history: a whole call. Outcomes have no result. */
interface HistoryCall {
  readonly op: string;
  readonly region: string;
  readonly user: string;
  readonly id: string;
  readonly t1: number;
  readonly result?: string;
}

/** A line of the other history: a call's beginning, or its answer. */
interface EventLine {
  readonly e: string;
  readonly call: number;
  readonly t: number;
  readonly op?: string;
  readonly user?: string;
  readonly id?: string;
}

/** `order user id` or `cancel user id` → when the region that had it was lost. */
type Times = ReadonlyMap<string, number>;

function timesOf(lists: readonly LostList[]): Times {
  const times = new Map<string, number>();
  for (const { orders, beforeMs } of lists)
    for (const { user, id, cancel = false } of orders)
      times.set(keyOf(cancel ? "cancel" : "order", user, id), beforeMs);
  return times;
}

const keyOf = (op: string, user: string, id: string) => `${op} ${user} ${id}`;

function listed(lostAtMs: Times, { op, user, id, t1, result }: HistoryCall): boolean {
  return result === "ok" && t1 <= (lostAtMs.get(keyOf(op, user, id)) ?? 0);
}

/**
 * Of each order, the acceptances that may be lost without a loss of the order: those in the region
 * before the loss, if there is another one, and otherwise all but the first.
 */
function copiesIn({ region, beforeMs }: LostList, calls: readonly HistoryCall[]): HistoryCall[] {
  const accepted = calls.filter(({ op, result }) => op === "order" && result === "ok");
  const byOrder = Map.groupBy(accepted, ({ op, user, id }) => keyOf(op, user, id));
  return [...byOrder.values()].flatMap((own) => {
    const there = own.filter((call) => call.region === region && call.t1 <= beforeMs);
    return there.length < own.length ? there : there.slice(1);
  });
}

/** A call's answer is a line of its own. */
function inEvents(lostAtMs: Times) {
  const calls = new Map<number, number>();
  return (line: EventLine): object => {
    const { e, call, t, op = "", user = "", id = "" } = line;
    if (e === "invoke") {
      const lostMs = lostAtMs.get(keyOf(op, user, id));
      if (lostMs !== undefined) calls.set(call, lostMs);
    }
    const lostMs = calls.get(call);
    if (e !== "return" || lostMs === undefined || t > lostMs) return line;
    return { e, call, t, status: 0 };
  };
}

function readLines<Line>(file: string): Line[] {
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Line);
}

function writeLines(file: string, lines: readonly object[]): void {
  writeFileSync(file, `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`);
}
