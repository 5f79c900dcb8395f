// A message that fails as a whole, or keeps coming back, is decided order by order. The order that still fails is recorded as
// `rejected` (the ledger sends a copy to orders.dead); the others go on. What has no order in it goes to orders.dead as it is.
import { NAME_PATTERN, type OrderRow } from "../core/domain/order.ts";
import { StoreUnavailable } from "../core/redis.ts";
import { settlePastRow } from "./past.ts";
import {
  ORDER_ACCEPTED_AT,
  ORDER_FINGERPRINT,
  ORDER_ID,
  ORDER_SALE,
  ORDER_SEQ,
  ORDER_USER,
} from "./row.ts";
import type { Deciding, Work } from "./work.ts";

/** Of a row that makes no sense, this much is kept in the rejected order's record. */
const KEPT_TEXT = 1_024;
/** ISO 4217's code for a transaction without a currency. */
const NO_CURRENCY = "XXX";

export async function decideAlone(decider: Deciding, work: Work): Promise<void> {
  const rows = parseRows(work.body);
  const words: string[] = [];
  let lost = 0;
  for (const row of rows ?? []) {
    const word = await decideRow(decider, work, row);
    if (word === undefined) return; // stopped: the message stays with the queue
    if (word === "") lost++;
    words.push(word);
  }
  if (!(await decider.recorded())) return;
  if (rows === undefined) work.done({ kind: "dead", reason: "not a JSON array of orders" });
  else if (lost > 0)
    work.done({ kind: "dead", reason: `${lost} of ${rows.length} rows name no order` });
  else work.done("ack");
  if (words.length > 0) decider.tell(work, words.join(","));
}

/** The row's outcome; '' when it names no order that could be rejected; undefined when the decider has stopped. */
async function decideRow(decider: Deciding, work: Work, row: unknown): Promise<string | undefined> {
  const { gateway, batch } = work;
  try {
    const decision = await decider.decideOnce([{ gateway, batch, body: JSON.stringify([row]) }]);
    const word = decision?.outcomes[0];
    return word === "past" ? await settlePastRow(decider, work, row as OrderRow) : word;
  } catch (error) {
    if (error instanceof StoreUnavailable) throw error;
    // Whatever is wrong with it: a row that names no order can be rejected by nobody, and must not hold up its shard.
    if (!isNamed(row)) return "";
    const decision = await decider.decideOnce(
      [{ gateway, batch, body: JSON.stringify([rejectable(row)]) }],
      "rejected",
    );
    return decision?.outcomes[0];
  }
}

function parseRows(body: string): unknown[] | undefined {
  try {
    const rows: unknown = JSON.parse(body);
    return Array.isArray(rows) ? rows : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a row is an order's and says at least whose it is, and which. Cancels and answers are no orders: they cannot be rejected. */
function isNamed(row: unknown): row is unknown[] {
  if (!Array.isArray(row)) return false;
  const [kind, user, id] = row;
  if (kind !== "o") return false;
  return (
    typeof user === "string" &&
    NAME_PATTERN.test(user) &&
    typeof id === "string" &&
    /^[0-9a-f-]{36}$/.test(id)
  );
}

/** An order row that can be recorded in place of one that cannot: the same name, the number it used up, and its text. */
function rejectable(row: unknown[]): OrderRow {
  const text = (value: unknown, fallback: string) =>
    typeof value === "string" && NAME_PATTERN.test(value) ? value : fallback;
  const whole = (value: unknown) =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 1e9
      ? (value as number)
      : 0;
  const acceptedAtMs = Number.isSafeInteger(row[ORDER_ACCEPTED_AT])
    ? (row[ORDER_ACCEPTED_AT] as number)
    : 0;
  return [
    "o",
    row[ORDER_USER] as string,
    row[ORDER_ID] as string,
    text(row[ORDER_FINGERPRINT], "unreadable"),
    acceptedAtMs,
    text(row[ORDER_SALE], "unreadable"),
    whole(row[ORDER_SEQ]),
    NO_CURRENCY,
    ["unreadable", 1],
    "",
    JSON.stringify({ row: JSON.stringify(row).slice(0, KEPT_TEXT) }),
    0,
  ];
}
