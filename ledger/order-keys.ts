// Idempotency keys that are no order ids themselves, and the order id that each stands for.
//
// The primary key decides: whichever gateway claims a key first, in whatever region, gives it its
// id. Every later claim of the same key finds that id, and the fingerprint of the order that came
// with it (docs/decisions/0026-idempotency-keys.md).
import { orderIdTimeMs } from "../core/domain/order-id.ts";
import type { ClaimedKey, KeyClaim } from "./contract.ts";
import { type Db, insertRows, type Runner } from "./db.ts";
import { jsonRows, rowsFrom, textIn } from "./json-rows.ts";

const COLUMNS = ["usr", "name", "id", "fingerprint", "at_ms"] as const;
/** Old keys forgotten for each claim: more than one, or the table would only grow. */
const FORGOTTEN_PER_CLAIM = 2;

/** The orders that keys stand for, in the order of the claims. See LedgerWriter. */
export function claimKeys(
  db: Db,
  claims: readonly KeyClaim[],
  forgetBeforeMs: number,
): Promise<ClaimedKey[]> {
  return db.transaction(async (tx) => {
    if (forgetBeforeMs > 0)
      await forget(db, tx, forgetBeforeMs, FORGOTTEN_PER_CLAIM * claims.length);
    // In one order everywhere: two gateways that claim the same keys must not wait for each other.
    const sorted = [...claims].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
    // By the id's time, which is that of the clock for decisions. By a gateway's own clock, which
    // may be wrong, a key might be forgotten early, and its next sending be a second order.
    const flat = sorted.flatMap((c) => [c.user, c.key, c.id, c.fingerprint, orderIdTimeMs(c.id)]);
    await insertRows(tx, "order_keys", COLUMNS, flat, "ON CONFLICT (usr, name) DO NOTHING");
    const held = await read(db, tx, sorted);
    return claims.map((claim) => {
      const found = held.get(nameOf(claim));
      if (!found) throw new Error("a claimed key is gone"); // the transaction rolls back
      return found;
    });
  });
}

async function read(
  db: Db,
  tx: Runner,
  claims: readonly KeyClaim[],
): Promise<Map<string, ClaimedKey>> {
  const text = `SELECT o.usr, o.name, o.id, o.fingerprint FROM ${rowsFrom(db.dialect)}
    JOIN order_keys o ON o.usr = ${textIn(0)} AND o.name = ${textIn(1)}`;
  const held = new Map<string, ClaimedKey>();
  for (const list of jsonRows(claims.map(({ user, key }) => [user, key])))
    for (const r of await tx.run(text, [list])) {
      const order = { id: String(r.id), fingerprint: String(r.fingerprint) };
      held.set(nameOf({ user: String(r.usr), key: String(r.name) }), order);
    }
  return held;
}

/** A row that another gateway is forgetting is left to it. */
async function forget(db: Db, tx: Runner, beforeMs: number, most: number): Promise<void> {
  const skip = db.dialect === "postgres" ? "FOR UPDATE SKIP LOCKED" : "";
  await tx.run(
    `DELETE FROM order_keys WHERE (usr, name) IN (SELECT usr, name FROM order_keys
       WHERE at_ms < ? ORDER BY at_ms LIMIT ? ${skip})`,
    [beforeMs, most],
  );
}

const nameOf = ({ user, key }: Pick<KeyClaim, "user" | "key">): string => `${user} ${key}`;
