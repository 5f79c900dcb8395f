// Charges, refunds and parts that have no end yet, asked for once more: after Redis was lost, and when the operator says that a broker has lost
// messages. Whoever had asked already hears the same again: keys and claims make it harmless.
import type { OrderRow } from "../core/domain/order.ts";
import { type Part, regionOfGateway } from "../core/domain/part.ts";
import { shardOf } from "../core/shard.ts";
import { type Db, insertRows, type Runner } from "./db.ts";
import { bucketOf } from "./places.ts";
import { Prices } from "./prices.ts";
import { addRequests, ask, emptySheet, type Sheet, send, traced } from "./sheet.ts";

/** Returns how many were asked for. */
export async function askAgain(db: Db): Promise<number> {
  return db.transaction(async (tx) => {
    const shards = Number((await tx.run("SELECT shards FROM store"))[0]?.shards);
    const sheet = emptySheet(new Prices());
    const asked = (await charges(tx, sheet, shards)) + (await parts(db, tx, sheet, shards));
    addRequests(sheet);
    await insertRows(
      tx,
      "follow_ups",
      ["shard", "exchange", "routing_key", "body", "done"],
      sheet.followUps,
    );
    return asked;
  });
}

async function charges(tx: Runner, sheet: Sheet, shards: number): Promise<number> {
  const text = `SELECT usr, id, generation, attempt, amount, currency, payment, status, trace FROM charges WHERE status IN ('started', 'refunding') ORDER BY id`;
  const rows = await tx.run(text);
  for (const r of rows) {
    const [user, id] = [String(r.usr), String(r.id)];
    const of = {
      user,
      id,
      generation: Number(r.generation),
      attempt: Number(r.attempt),
      ...traced(String(r.trace)),
    };
    const shard = shardOf(user, shards);
    if (r.status === "refunding") ask(sheet, shard, "payments", { kind: "refund", ...of });
    else {
      const terms = {
        amount: Number(r.amount),
        currency: String(r.currency),
        payment: String(r.payment),
      };
      ask(sheet, shard, "payments", { kind: "charge", ...of, ...terms });
    }
  }
  return rows.length;
}

async function parts(db: Db, tx: Runner, sheet: Sheet, shards: number): Promise<number> {
  const row =
    db.dialect === "sqlite"
      ? "json_extract(m.body, '$[' || o.idx || ']')"
      : "(m.body::json -> o.idx)::text";
  const order = `SELECT m.gateway, ${row} AS row_text FROM orders o JOIN messages m ON m.id = o.message WHERE o.bucket = ? AND o.id = ? AND o.usr = ?`;
  const open = await tx.run(
    "SELECT usr, id, generation, part, parts, routing_key, lines FROM parts WHERE status IN ('waiting', 'claimed') ORDER BY id, part",
  );
  for (const r of open) {
    const [user, id] = [String(r.usr), String(r.id)];
    const shard = shardOf(user, shards);
    const [found] = await tx.run(order, [bucketOf(user, shard), id, user]);
    if (!found) continue;
    const placed = JSON.parse(String(found.row_text)) as OrderRow;
    const counted = { generation: Number(r.generation), part: Number(r.part), of: Number(r.parts) };
    const lines = JSON.parse(String(r.lines)) as Part["lines"];
    const region = regionOfGateway(String(found.gateway));
    const part: Part = {
      user,
      id,
      saleId: placed[5],
      ...counted,
      shard,
      region,
      lines,
      metadata: placed[10],
      ...traced(placed[12]),
    };
    send(sheet, shard, "fulfilment", String(r.routing_key), part);
  }
  return open.length;
}
