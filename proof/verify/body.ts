// The text of an order, the same from the client's history and the ledger's journal. Two sendings
// of an id are the same order exactly if their texts are equal. (The system compares fingerprints;
// verify does not use them.)
import type { SentBody } from "../history.ts";
import type { OrderRowText } from "./journal.ts";

export function sentBodyText(body: SentBody): string {
  const lines = body.lines.map((line) => `${line.sku}*${line.qty}`).join(",");
  const metadata = body.metadata === undefined ? "" : JSON.stringify(body.metadata);
  return text(
    body.saleId,
    body.seq ?? 0,
    body.currency,
    lines,
    body.payment ?? "",
    metadata,
    body.maxTotal ?? 0,
  );
}

export function rowBodyText(row: OrderRowText): string {
  const flat = row[8];
  let lines = "";
  for (let i = 0; i < flat.length; i += 2)
    lines += `${i === 0 ? "" : ","}${flat[i]}*${flat[i + 1]}`;
  const metadata = row[10] === "" ? "" : JSON.stringify(JSON.parse(row[10]));
  return text(row[5], row[6], row[7], lines, row[9], metadata, row[11]);
}

function text(
  saleId: string,
  seq: number,
  currency: string,
  lines: string,
  payment: string,
  metadata: string,
  maxTotal: number,
): string {
  return `${saleId}|${seq}|${currency}|${maxTotal}|${lines}|${payment}|${metadata}`;
}
