// Asks once more for every charge, look-up, refund and part without a definite end, when an
// operator reports that a broker has lost messages; or for one attempt whose dead letter is
// redriven. Each request gets the next number, so a copy that was not lost ends with its next
// answer. Keys and claims make a repeated request harmless.
import type { Attempt } from "../core/domain/charge.ts";
import { shardOf } from "../core/domain/shard.ts";
import { ATTEMPT, Attempts, attemptIn } from "./attempts.ts";
import { type Db, type Dialect, insertRows, type Runner } from "./db.ts";
import { lettersAgain } from "./letters-again.ts";
import { OPEN_STATUSES, type OpenStatus, requestOf, restart } from "./obligations.ts";
import { partsAgain } from "./parts-again.ts";
import { Prices } from "./prices.ts";
import { SERVICE_QUEUES } from "./request-targets.ts";
import { addRequests, ask, emptySheet, type Sheet } from "./sheet.ts";
import { FOLLOW_UPS } from "./sheet-rows.ts";

/** Returns the number of requests issued. */
export async function askAgain(db: Db): Promise<number> {
  return db.transaction(async (tx) => {
    const shards = Number((await tx.run("SELECT shards FROM store"))[0]?.shards);
    await lockShards(db.dialect, tx);
    const sheet = emptySheet(new Prices(0), db.runtime.wallMs());
    // Follow-ups not yet published ask for the same things: one request each is enough.
    await tx.run(
      `UPDATE follow_ups SET done = 1 WHERE done = 0 AND (exchange = 'fulfilment'
       OR exchange = '' AND routing_key LIKE '${SERVICE_QUEUES}%'
       OR exchange = '' AND routing_key LIKE 'payments%' AND routing_key <> 'payments.dead')`,
    );
    const asked = (await charges(tx, sheet, shards)) + (await partsAgain(tx, sheet, shards));
    addRequests(sheet);
    await insertRows(tx, "follow_ups", FOLLOW_UPS, sheet.followUps);
    await lettersAgain(tx);
    return asked;
  });
}

/**
 * A writer locks the shards of its entries first, then attempts in an order of its own. Here all
 * wait for each other at the shards, so none can deadlock on an attempt.
 */
async function lockShards(dialect: Dialect, tx: Runner, only?: number): Promise<void> {
  if (dialect === "sqlite") return; // the transaction has the write lock
  const where = only === undefined ? "" : "WHERE shard = ?";
  const text = `SELECT shard FROM shards ${where} ORDER BY shard FOR UPDATE`;
  await tx.run(text, only === undefined ? [] : [only]);
}

async function charges(tx: Runner, sheet: Sheet, shards: number): Promise<number> {
  const rows = await tx.run(
    `UPDATE charges SET request = request + 1
     WHERE status IN (${OPEN_STATUSES.map(() => "?").join(",")})
     RETURNING ${ATTEMPT}`,
    OPEN_STATUSES,
  );
  const open = rows.map(attemptIn).sort((a, b) => (a.id < b.id ? -1 : 1));
  for (const of of open) {
    const request = requestOf(of, of.status as OpenStatus, of);
    ask(sheet, shardOf(of.user, shards), "payments", request);
  }
  return rows.length;
}

/** By the present status of an attempt: the status under which it is asked for again. */
const AGAIN: Readonly<Record<string, OpenStatus>> = {
  started: "started",
  unknown: "unknown",
  unresolved: "unknown",
  refunding: "refunding",
  refund_failed: "refunding",
};

/** Asks for one attempt again, as a new obligation. `settled`: there is nothing left to ask. */
export async function askOnce(db: Db, shards: number, of: Attempt): Promise<"asked" | "settled"> {
  return db.transaction(async (tx) => {
    await lockShards(db.dialect, tx, shardOf(of.user, shards));
    const attempts = await Attempts.read(db.dialect, tx, [of]);
    const from = attempts.statusOf(of);
    const status = from === undefined ? undefined : AGAIN[from];
    if (from === undefined || status === undefined) return "settled";
    const request = requestOf(of, status, restart(attempts, of, from, status));
    await attempts.write(tx);
    const sheet = emptySheet(new Prices(0), db.runtime.wallMs());
    ask(sheet, shardOf(of.user, shards), "payments", request);
    addRequests(sheet);
    await insertRows(tx, "follow_ups", FOLLOW_UPS, sheet.followUps);
    return "asked";
  });
}
