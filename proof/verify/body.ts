// The text of an order, the same from the client's history and the ledger's journal. Two sendings
// of an id are the same order exactly if their texts are equal. (The system compares fingerprints;
// verify does not use them.)
import type { SentBody } from "../history.ts";
import type { PlacedRow } from "./rows.ts";

export function sentBodyText(body: SentBody): string {
  const metadata = body.metadata === undefined ? "" : JSON.stringify(body.metadata);
  return text({ seq: 0, payment: "", maxTotal: 0, ...body, metadata });
}

export function rowBodyText(row: PlacedRow): string {
  const metadata = row.metadata === "" ? "" : JSON.stringify(JSON.parse(row.metadata));
  return text({ ...row, metadata });
}

type Chosen = Omit<PlacedRow, "user" | "id" | "acceptedAtMs">;

function text({ saleId, seq, currency, lines, payment, metadata, maxTotal }: Chosen): string {
  const items = lines.map(({ sku, qty }) => `${sku}*${qty}`).join(",");
  return `${saleId}|${seq}|${currency}|${maxTotal}|${items}|${payment}|${metadata}`;
}
