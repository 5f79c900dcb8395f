// The journal that a real run left in its ledger is one that the specification of the protocol
// allows (docs/protocol/journal.qnt), and an altered one is not.
import { afterEach, expect, test } from "bun:test";
import { realRuntime } from "../core/runtime/runtime.ts";
import { type JournalEntry, LedgerAudit } from "../ledger/audit.ts";
import { Random } from "../proof/protocol/choices.ts";
import { JOURNAL_NAMES, judgeJournal } from "../proof/protocol/journal.ts";
import { loadSpec } from "../proof/protocol/spec.ts";
import { readyStack } from "./ready.ts";
import { makeOrder, makeSkip, type Stack, userOf } from "./stack.ts";

let stack: Stack | undefined;
afterEach(async () => {
  await stack?.stop();
  stack = undefined;
});

const UNITS = 14;
/** A declined order's units return, so a few more are reserved than there are units. */
const DECLINED = { payment: "decline" };

/** Orders of one shard in both regions: early, late, repeated, given up; charges that fail. */
async function rush(of: Stack, round: number): Promise<void> {
  const users = [0, 1, 2].map((n) => userOf(0, 3 * round + n));
  for (const [n, user] of users.entries()) {
    const orders = [1, 2, 3, 4].map((i) =>
      makeOrder(user, { a: 1 }, { seq: n === 0 ? 0 : i, ...(i === 2 ? DECLINED : {}) }),
    );
    const rows = orders.map(({ row }) => row);
    // The second half arrives first, in the other region. Number 5 is given up ahead of its turn.
    await of.publish(0, [...rows.slice(2), ...(n === 2 ? [makeSkip(user, 5)] : [])], 1);
    await of.publish(0, rows.slice(0, 2), 0);
    await of.publish(0, rows.slice(1, 3), 1);
    for (const { order } of orders) await of.decided(user, order.id);
  }
}

async function journalOf(of: Stack): Promise<JournalEntry[]> {
  const audit = await LedgerAudit.open(realRuntime, of.settings.ledgerUrl);
  const entries: JournalEntry[] = [];
  for await (const some of audit.entries(0)) entries.push(...some);
  await audit.close();
  return entries;
}

const swapped = (entry: JournalEntry, from: string, to: string): JournalEntry => ({
  ...entry,
  messages: entry.messages.map((m) => ({ ...m, outcomes: m.outcomes.replace(from, to) })),
});

/** Each alters a journal in one place. */
const LIES: Record<string, (journal: JournalEntry[]) => JournalEntry[]> = {
  "an entry is missing": (all) => all.filter((_, i) => i !== 2),
  "an entry is there twice": (all) => [...all.slice(0, 3), ...all.slice(2)],
  "two entries changed places": (all) => {
    const [a, b, c, ...rest] = all;
    return [a, c, b, ...rest] as JournalEntry[];
  },
  "an entry names another before it": (all) =>
    all.map((e, i) => (i === 3 ? { ...e, prev: all[0]?.prev ?? "" } : e)),
  "an entry is of a former owner": (all) =>
    all.map((e, i) => (i === all.length - 1 ? { ...e, epoch: e.epoch - 1 } : e)),
  "an order sold out too early": (all) => all.map((e) => swapped(e, "reserved", "sold_out")),
  "an order was parked in its turn": (all) =>
    all.map((e, i) => (i === 0 ? swapped(e, "reserved", "parked") : e)),
  "a failed charge was paid": (all) =>
    all.map((e) => ({ ...e, steps: e.steps.replaceAll('"payment_failed"', '"paid"') })),
};

test("the journal of a run with two owners and a lost Redis is allowed; an altered one is not", async () => {
  const { stack: made, workers } = await readyStack(
    { a: UNITS },
    { regions: ["eu", "us"], env: { SLUICE_RETRY_DELAYS: "20ms,20ms,20ms" } },
  );
  stack = made;
  await made.payments();
  await rush(made, 0);
  const client = await made.client();
  await client.run((redis) => redis.flushall());
  await client.close();
  await rush(made, 1);
  await workers[0]?.stop();
  await made.worker("second");
  await rush(made, 2);
  await made.until("no charge is under way", async () => {
    const orders = await Promise.all(
      Array.from({ length: 9 }, (_, n) => made.ledger.ordersOf(userOf(0, n), { limit: 20 })),
    );
    return orders.flat().every(({ state }) => state !== "reserved");
  });
  const journal = await journalOf(made);
  const spec = loadSpec("journal.qnt", JOURNAL_NAMES, new Random(1));
  expect(judgeJournal(spec, journal, UNITS)).toEqual({ entries: journal.length, flaw: undefined });
  // Something of every kind is in it.
  const words = new Set(
    journal.flatMap(({ messages }) => messages.flatMap(({ outcomes }) => outcomes.split(","))),
  );
  for (const word of ["reserved", "sold_out", "parked", "skipped", "+paid", "+payment_failed"])
    expect(words).toContain(word);
  expect(new Set(journal.map(({ epoch }) => epoch)).size).toBeGreaterThan(2);
  for (const [name, lie] of Object.entries(LIES))
    expect([name, judgeJournal(spec, lie(journal), UNITS).flaw]).not.toEqual([name, undefined]);
}, 90_000);
