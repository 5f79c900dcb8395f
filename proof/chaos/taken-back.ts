// An operator may declare that accepted orders are unknown, since the region that had them is lost
// for good (`sluice recover --lost`). For both checkers such an acceptance becomes a call without
// an answer: it may still take effect, or never. Only acceptances before the loss do, and only
// those on the operator's list; whatever else was lost is a violation.
import { readFileSync, writeFileSync } from "node:fs";

export interface TakenBack {
  readonly user: string;
  readonly id: string;
  /** The cancel, not the order. */
  readonly cancel?: boolean;
}

/** What an operator listed, and when the region was lost (historyNow()). */
export interface LostList {
  readonly orders: readonly TakenBack[];
  readonly beforeMs: number;
}

export function takeBackIn(
  lists: readonly LostList[],
  historyFile: string,
  eventsFile: string,
): void {
  if (lists.length === 0) return;
  const lostAtMs = timesOf(lists);
  rewrite(historyFile, inHistory(lostAtMs));
  rewrite(eventsFile, inEvents(lostAtMs));
}

type Times = ReadonlyMap<string, number>;

function timesOf(lists: readonly LostList[]): Times {
  const times = new Map<string, number>();
  for (const { orders, beforeMs } of lists)
    for (const { user, id, cancel = false } of orders)
      times.set(keyOf(cancel ? "cancel" : "order", user, id), beforeMs);
  return times;
}

const keyOf = (op: string, user: string, id: string) => `${op} ${user} ${id}`;

interface HistoryCall {
  readonly op: string;
  readonly user: string;
  readonly id: string;
  readonly t1: number;
  readonly result: string;
}

/** A call is one line. */
function inHistory(lostAtMs: Times) {
  return (line: object): object => {
    const { op, user, id, t1, result } = line as HistoryCall;
    const lostMs = lostAtMs.get(keyOf(op, user, id));
    if (lostMs === undefined || result !== "ok" || t1 > lostMs) return line;
    return { ...line, result: "info", status: 0 };
  };
}

interface EventLine {
  readonly e: string;
  readonly call: number;
  readonly t: number;
  readonly op?: string;
  readonly user?: string;
  readonly id?: string;
}

/** A call's answer is a line of its own. */
function inEvents(lostAtMs: Times) {
  const calls = new Map<number, number>();
  return (line: object): object => {
    const { e, call, t, op = "", user = "", id = "" } = line as EventLine;
    if (e === "invoke") {
      const lostMs = lostAtMs.get(keyOf(op, user, id));
      if (lostMs !== undefined) calls.set(call, lostMs);
    }
    const lostMs = calls.get(call);
    if (e !== "return" || lostMs === undefined || t > lostMs) return line;
    return { e, call, t, status: 0 };
  };
}

function rewrite(file: string, change: (line: object) => object): void {
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  const changed = lines.map((line) => JSON.stringify(change(JSON.parse(line) as object)));
  writeFileSync(file, `${changed.join("\n")}\n`);
}
