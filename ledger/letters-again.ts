// When an operator reports that a broker has lost messages, publishes the dead letters of failures
// that still stand once more. A letter that was not lost is then there twice; redriving both has
// the effect of one.
import type { Attempt } from "../core/domain/charge.ts";
import type { Runner } from "./db.ts";
import { keptText } from "./letters.ts";
import { bucketOf } from "./places.ts";

/** Follow-ups per statement. */
const AT_ONCE = 500;

interface Body {
  readonly reason?: string;
  readonly user?: string;
  readonly id?: string;
  readonly generation?: number;
  readonly attempt?: number;
  readonly row?: { readonly order?: { readonly user: string; readonly id: string } };
}

/** Returns the number of letters. */
export async function lettersAgain(tx: Runner): Promise<number> {
  const dropped = new Set(
    (await tx.run("SELECT body FROM letters WHERE fate = 'dropped'")).map((r) => String(r.body)),
  );
  const published = await tx.run(
    `SELECT id, shard, body FROM follow_ups WHERE done = 1 AND exchange = ''
     AND routing_key IN ('orders.dead', 'payments.dead') ORDER BY id`,
  );
  const again: number[] = [];
  for (const { id, shard, body } of published) {
    const text = String(body);
    if (dropped.has(keptText(text))) continue;
    if (await stands(tx, Number(shard), JSON.parse(text) as Body)) again.push(Number(id));
  }
  for (let from = 0; from < again.length; from += AT_ONCE) {
    const some = again.slice(from, from + AT_ONCE);
    const named = some.map(() => "?").join(",");
    await tx.run(`UPDATE follow_ups SET done = 0 WHERE id IN (${named})`, some);
  }
  return again.length;
}

/**
 * Whether the failure is still the current state. A redrive on record does not count: its message
 * may have been lost as well, and one that was not makes the letter's next redrive do nothing.
 */
async function stands(tx: Runner, shard: number, body: Body): Promise<boolean> {
  const { reason, user = "", id = "", generation = 0, attempt = 0, row } = body;
  switch (reason) {
    case "payment_failed":
      return (
        (await stateOf(tx, shard, user, id)) === "payment_failed" &&
        (await lastGeneration(tx, user, id)) === generation
      );
    case "refund_failed":
      return (await chargeStatus(tx, { user, id, generation, attempt })) === "refund_failed";
    case "charge_unresolved":
      return (await chargeStatus(tx, { user, id, generation, attempt })) === "unresolved";
    case "the order could not be decided": {
      const { order } = row ?? {};
      if (!order) return true;
      return (await stateOf(tx, shard, order.user, order.id)) === "rejected";
    }
    default:
      return true; // an entry that could not be read
  }
}

async function stateOf(tx: Runner, shard: number, user: string, id: string): Promise<unknown> {
  const text = "SELECT state FROM orders WHERE bucket = ? AND id = ? AND usr = ?";
  return (await tx.run(text, [bucketOf(user, shard), id, user]))[0]?.state;
}

async function lastGeneration(tx: Runner, user: string, id: string): Promise<number> {
  const text = "SELECT MAX(generation) AS last FROM charges WHERE id = ? AND usr = ?";
  return Number((await tx.run(text, [id, user]))[0]?.last);
}

async function chargeStatus(
  tx: Runner,
  { user, id, generation, attempt }: Attempt,
): Promise<unknown> {
  const text = `SELECT status FROM charges
    WHERE id = ? AND usr = ? AND generation = ? AND attempt = ?`;
  return (await tx.run(text, [id, user, generation, attempt]))[0]?.status;
}
