// Parts that services have claimed over HTTP. A gateway moves a part from its queue to this table,
// so that any gateway knows who has it, whichever of them dies.
//
//  1. A claim that is sent again gets the parts that it has, and no others.
//  2. A part belongs to one claim at a time. Another gets it only after the lease.
//  3. A message that came twice changes nothing. One with a later request replaces an earlier one,
//     since the ledger puts off only the newest (ledger/parts-again.ts).
//  4. A part that was put off may come again before the end of its lease is on record. The end is
//     that of the earlier request then, and the later one stays open.
import type { Part } from "../core/domain/part.ts";
import { type Db, insertRows, type Runner, type Value } from "./db.ts";
import type {
  Fate,
  LapsedRequest,
  Leased,
  LeaseEnd,
  LeaseRequest,
  PartId,
  ReportBegin,
  ReportBegun,
  SettledClaim,
} from "./lease-contract.ts";

/** Claims of a service with parts that it has not reported. */
export const MAX_CLAIMS = 200;
/** Ends of leases forgotten in one call, so that it stays short. */
const FORGOTTEN_AT_ONCE = 500;

const COLUMNS = [
  ...["usr", "id", "generation", "part", "service", "request"],
  ...["claim", "until_ms", "fate", "at_ms", "body"],
];
const KEY = "id = ? AND usr = ? AND generation = ? AND part = ?";
const keyOf = ({ user, id, generation, part }: PartId): Value[] => [id, user, generation, part];

const LIVE = "part_leases.fate = '' AND part_leases.until_ms > excluded.at_ms";
/** 3: a live lease stays its claim's. An operator may send what a service gave up again. */
const ARRIVED = `ON CONFLICT (id, usr, generation, part) DO UPDATE SET
    claim = CASE WHEN ${LIVE} THEN part_leases.claim ELSE excluded.claim END,
    service = CASE WHEN ${LIVE} THEN part_leases.service ELSE excluded.service END,
    until_ms = CASE WHEN ${LIVE} THEN part_leases.until_ms ELSE excluded.until_ms END,
    request = excluded.request, body = excluded.body, fate = '', at_ms = excluded.at_ms
  WHERE excluded.request > part_leases.request OR part_leases.fate = 'failed'
  RETURNING claim, until_ms, body`;

export async function leaseParts(
  db: Db,
  request: LeaseRequest,
  arrived: readonly Part[],
): Promise<Leased> {
  if (arrived.length === 0) {
    const word = await outlook(db, request);
    if (word !== "go") return { kind: word };
  }
  const { service, claim, untilMs } = request;
  return db.transaction(async (tx) => {
    // Of two gateways with the same claim one continues; the other one waits for it here.
    const isNew = await insertRows(
      tx,
      "part_claims",
      ["service", "claim", "until_ms"],
      [service, claim, untilMs],
      "ON CONFLICT (service, claim) DO NOTHING RETURNING claim",
    );
    if (isNew.length === 0) {
      await keep(tx, { ...request, most: 0 }, arrived);
      return held(tx, request); // 1
    }
    const bodies =
      arrived.length > 0 ? await keep(tx, request, arrived) : await lapsed(db, tx, request);
    if (bodies.length > 0) return { kind: "leased", untilMs, parts: bodies.map(partIn) };
    await tx.run("DELETE FROM part_claims WHERE service = ? AND claim = ?", [service, claim]);
    return { kind: "none" };
  });
}

/** Whether a transaction has anything to do: most looks find nothing. */
async function outlook(db: Db, request: LeaseRequest): Promise<"go" | "none" | "too_many"> {
  const { service, claim, nowMs } = request;
  const open = "FROM part_leases WHERE service = ? AND fate = '' AND until_ms";
  const [found] = await db.run(
    `SELECT (SELECT COUNT(*) FROM part_claims WHERE service = ? AND claim = ?) AS known,
       (SELECT COUNT(*) FROM (SELECT 1 ${open} <= ? LIMIT 1) AS one) AS lapsed,
       (SELECT COUNT(DISTINCT claim) ${open} > ?) AS claims`,
    [service, claim, service, nowMs, service, nowMs],
  );
  if (Number(found?.known) > 0) return "go";
  if (Number(found?.claims) >= MAX_CLAIMS) return "too_many";
  return Number(found?.lapsed) > 0 ? "go" : "none";
}

/** Keeps parts of messages, the first `most` for the claim; returns the texts of those it got. */
async function keep(tx: Runner, request: LeaseRequest, arrived: readonly Part[]) {
  const { service, claim, most, nowMs, untilMs } = request;
  const flat = distinct(arrived).flatMap((part, i): Value[] => [
    ...[part.user, part.id, part.generation, part.part, service, part.request ?? 1],
    ...(i < most ? [claim, untilMs] : ["", nowMs]),
    ...["", nowMs, JSON.stringify(part)],
  ]);
  const kept = await insertRows(tx, "part_leases", COLUMNS, flat, ARRIVED);
  return kept.filter((r) => r.claim === claim && Number(r.until_ms) === untilMs);
}

/** One row for each part: a statement must not change a row twice. The newest request counts. */
function distinct(parts: readonly Part[]): Part[] {
  const newest = new Map<string, Part>();
  for (const part of parts) {
    const key = keyOf(part).join(" ");
    if ((newest.get(key)?.request ?? 0) < (part.request ?? 1)) newest.set(key, part);
  }
  return [...newest.values()];
}

/** 2: parts whose lease has ended, longest ago first. */
function lapsed(db: Db, tx: Runner, { service, claim, most, nowMs, untilMs }: LeaseRequest) {
  const skip = db.dialect === "postgres" ? "FOR UPDATE SKIP LOCKED" : "";
  return tx.run(
    `UPDATE part_leases SET claim = ?, until_ms = ? WHERE (id, usr, generation, part) IN
       (SELECT id, usr, generation, part FROM part_leases
        WHERE service = ? AND fate = '' AND until_ms <= ? ORDER BY until_ms LIMIT ? ${skip})
     RETURNING body`,
    [claim, untilMs, service, nowMs, most],
  );
}

async function held(tx: Runner, { service, claim, nowMs }: LeaseRequest): Promise<Leased> {
  const [known] = await tx.run("SELECT until_ms FROM part_claims WHERE service = ? AND claim = ?", [
    service,
    claim,
  ]);
  const untilMs = Number(known?.until_ms ?? 0);
  if (untilMs <= nowMs) return { kind: "ended" };
  const found = await tx.run(
    "SELECT body FROM part_leases WHERE service = ? AND claim = ? AND fate = '' AND until_ms > ?",
    [service, claim, nowMs],
  );
  return { kind: "leased", untilMs, parts: found.map(partIn) };
}

export function settleClaim(db: Db, settled: SettledClaim): Promise<void> {
  const { service, claim, gone, back, backMs, nowMs } = settled;
  return db.transaction(async (tx) => {
    for (const { of, fate } of gone) await end(tx, of, claim, fate, nowMs);
    for (const of of back)
      await tx.run(
        `UPDATE part_leases SET claim = '', until_ms = ? WHERE ${KEY} AND claim = ? AND fate = ''`,
        [backMs, ...keyOf(of), claim],
      );
    // A claim that was left with nothing was not answered: its name is free again.
    await tx.run(
      `DELETE FROM part_claims WHERE service = ? AND claim = ? AND NOT EXISTS
         (SELECT 1 FROM part_leases WHERE service = ? AND claim = ? AND fate = '')`,
      [service, claim, service, claim],
    );
  });
}

export function beginReport(db: Db, begin: ReportBegin): Promise<ReportBegun> {
  const { service, claim, of, nowMs, holdUntilMs } = begin;
  return db.transaction(async (tx): Promise<ReportBegun> => {
    const [open] = await tx.run(
      `UPDATE part_leases SET until_ms = CASE WHEN until_ms < ? THEN ? ELSE until_ms END
       WHERE ${KEY} AND service = ? AND claim = ? AND fate = '' AND until_ms > ? RETURNING body`,
      [holdUntilMs, holdUntilMs, ...keyOf(of), service, claim, nowMs],
    );
    if (open) return { kind: "open", part: partIn(open) };
    const [found] = await tx.run(
      `SELECT claim, fate FROM part_leases WHERE ${KEY} AND service = ?`,
      [...keyOf(of), service],
    );
    if (!found) return { kind: "unknown" };
    if (found.claim !== claim || found.fate === "") return { kind: "ended" };
    return { kind: "reported", fate: found.fate as Fate };
  });
}

/** 4 */
export async function endLease(db: Db, { of, claim, fate, nowMs }: LeaseEnd): Promise<void> {
  const request = of.request ?? 1;
  await db.run(
    `UPDATE part_leases SET at_ms = ?, fate = CASE WHEN request > ? THEN '' ELSE ? END,
       claim = CASE WHEN request > ? THEN '' ELSE claim END,
       until_ms = CASE WHEN request > ? THEN ? ELSE until_ms END
     WHERE ${KEY} AND claim = ? AND fate = ''`,
    [nowMs, request, fate, request, request, nowMs, ...keyOf(of), claim],
  );
}

async function end(
  tx: Runner,
  of: PartId,
  claim: string,
  fate: Fate,
  nowMs: number,
): Promise<void> {
  await tx.run(
    `UPDATE part_leases SET fate = ?, at_ms = ? WHERE ${KEY} AND claim = ? AND fate = ''`,
    [fate, nowMs, ...keyOf(of), claim],
  );
}

export function lapsedParts(
  db: Db,
  { beforeMs, holdUntilMs, most, forgetBeforeMs }: LapsedRequest,
): Promise<{ service: string; part: Part }[]> {
  const skip = db.dialect === "postgres" ? "FOR UPDATE SKIP LOCKED" : "";
  return db.transaction(async (tx) => {
    await tx.run(
      `DELETE FROM part_leases WHERE (id, usr, generation, part) IN
         (SELECT id, usr, generation, part FROM part_leases WHERE fate <> '' AND at_ms < ?
          LIMIT ${FORGOTTEN_AT_ONCE} ${skip})`,
      [forgetBeforeMs],
    );
    await tx.run(
      `DELETE FROM part_claims WHERE (service, claim) IN
         (SELECT service, claim FROM part_claims WHERE until_ms < ?
          LIMIT ${FORGOTTEN_AT_ONCE} ${skip})`,
      [forgetBeforeMs],
    );
    const found = await tx.run(
      `UPDATE part_leases SET claim = '', until_ms = ? WHERE (id, usr, generation, part) IN
         (SELECT id, usr, generation, part FROM part_leases WHERE fate = '' AND until_ms <= ?
          ORDER BY until_ms LIMIT ? ${skip})
       RETURNING service, body`,
      [holdUntilMs, beforeMs, most],
    );
    return found.map((r) => ({ service: String(r.service), part: partIn(r) }));
  });
}

const partIn = (r: Record<string, unknown>): Part => JSON.parse(String(r.body)) as Part;
