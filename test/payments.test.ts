// Charges from reservation to the provider and back, with every misbehaviour of the stub.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { cancelRow } from "../core/domain/row.ts";
import type { Provider } from "../stubs/provider/server.ts";
import { makeOrder, Stack, userOf } from "./stack.ts";

const TIMEOUT_MS = 60_000;
const FAST_RETRIES = { SLUICE_RETRY_DELAYS: "50ms,100ms,200ms" };
let stack: Stack;
beforeEach(async () => {
  stack = await Stack.start({ env: FAST_RETRIES });
  await stack.sale({ a: 100 });
  await stack.worker("w1");
}, TIMEOUT_MS);
afterEach(async () => stack?.stop(), TIMEOUT_MS);

/** Sends an order with a payment token; returns its user and id. */
async function order(
  payment: string,
  user = userOf(0),
  qty = 1,
): Promise<{ user: string; id: string }> {
  const { order: made, row } = makeOrder(user, { a: qty }, { payment });
  await stack.publish(0, [row]);
  return { user, id: made.id };
}

const capturesKept = (provider: Provider, id: string) =>
  [...provider.book.charges.values()].filter(
    (c) => c.order === id && c.status === "captured" && !c.refunded,
  ).length;

/** Units in the ledger. */
const units = async () => {
  const [item] = await stack.ledger.stock("s1");
  return { available: item?.available, held: item?.held, sold: item?.sold };
};

test(
  "a reserved order is charged once and paid",
  async () => {
    const provider = await stack.payments();
    const { user, id } = await order("tok");
    await stack.becomes(user, id, "paid");
    expect(capturesKept(provider, id)).toBe(1);
    expect([...provider.book.charges.values()]).toMatchObject([
      { order: id, amount: 100, currency: "EUR" },
    ]);
    expect(await units()).toEqual({ available: 99, held: 0, sold: 1 });
  },
  TIMEOUT_MS,
);

test.each([
  ["an error before charging is asked for again with the same key", "stub:error_before", 1],
  ["an error after charging is looked up: no double payment", "stub:error_after", 1],
  ["a time-out before charging is asked for again with the same key", "stub:timeout_before", 1],
  ["a time-out after charging is asked for again with the same key", "stub:timeout_after", 1],
  ["a pending charge is paid in the end", "stub:pending", 1],
  ["a provider that answers 429 is asked again later", "stub:limited", 1],
  ["the worker waits for a slow provider", "stub:slow", 1],
  ["a page with status 200 is no capture", "stub:html200", 1],
  ["a redirect is no capture and is not followed", "stub:redirect", 1],
  ["another charge's capture does not count", "stub:wrong_key", 1],
  ["half the amount is no capture", "stub:wrong_amount", 1],
  ["an endless answer is no capture", "stub:huge_answer", 1],
  ["a charge captured late without a webhook is looked up until then", "stub:late_capture", 1],
])(
  "%s",
  async (_, token, mostCharges) => {
    const provider = await stack.payments();
    const { user, id } = await order(token);
    await stack.becomes(user, id, "paid");
    expect(capturesKept(provider, id)).toBe(1);
    expect(provider.book.charges.size).toBeLessThanOrEqual(mostCharges);
  },
  TIMEOUT_MS,
);

test(
  "a permanently declined card is tried four times, then dead-lettered, and its stock is released",
  async () => {
    const provider = await stack.payments();
    const { user, id } = await order("stub:decline", userOf(0), 3);
    await stack.becomes(user, id, "payment_failed");
    const keys = [...provider.book.charges.keys()];
    expect(keys.map((key) => key.split("/").at(-1))).toEqual(["1", "2", "3", "4"]);
    expect(await units()).toEqual({ available: 100, held: 0, sold: 0 });
    const events = (await stack.ledger.events(user, id)).map((e) => e.event);
    expect(events).toEqual([
      "charge_failed",
      "charge_failed",
      "charge_failed",
      "charge_failed",
      "payment_failed",
    ]);
    await stack.until("the dead letter", async () => (await stack.ledger.followUpsOpen()) === 0);
    const [letter] = await stack.take("payments.dead", 1);
    expect(letter).toMatchObject({ reason: "payment_failed", user, id, attempts: 4 });
    expect((letter as { history: { attempt: number }[] }).history.map((h) => h.attempt)).toEqual([
      1, 2, 3, 4,
    ]);
  },
  TIMEOUT_MS,
);

test(
  "a card declined three times and then accepted pays at the last retry",
  async () => {
    const provider = await stack.payments();
    const { user, id } = await order("stub:decline:3");
    await stack.becomes(user, id, "paid");
    expect(provider.book.charges.size).toBe(4);
    expect(capturesKept(provider, id)).toBe(1);
  },
  TIMEOUT_MS,
);

test(
  "a user's charges keep their order, even with retries; another user's continue meanwhile",
  async () => {
    const provider = await stack.payments();
    const user = userOf(0);
    const first = await order("stub:decline:2", user);
    const second = await order("tok", user);
    const other = await order("tok", userOf(0, 1));
    await stack.becomes(other.user, other.id, "paid");
    await stack.becomes(user, second.id, "paid");
    const mine = [...provider.book.charges.values()]
      .filter((c) => c.order !== other.id)
      .map((c) => c.order);
    expect(mine).toEqual([first.id, first.id, first.id, second.id]);
  },
  TIMEOUT_MS,
);

test(
  "a provider outage pauses charging; nothing is lost and no retry is used up",
  async () => {
    const provider = await stack.payments();
    provider.outage = true;
    const sent = await Promise.all(
      Array.from({ length: 30 }, (_, i) => order("tok", userOf(0, i))),
    );
    await stack.until("the breaker to open", () =>
      stack.events.some((e) => e.event === "provider breaker" && e.state === "open"),
    );
    provider.outage = false;
    for (const { user, id } of sent) await stack.becomes(user, id, "paid");
    expect(provider.book.charges.size).toBe(30);
    expect([...provider.book.charges.keys()].every((key) => key.endsWith("/1"))).toBe(true);
  },
  TIMEOUT_MS,
);

test(
  "a killed payment worker leaves its charges to the next one: each capture is kept once",
  async () => {
    const provider = await stack.provider({ delays: { slowMs: 150 }, shares: { slow: 1 } });
    const first = stack.spawn("payments", { SLUICE_PROVIDER_URL: provider.url });
    const sent = await Promise.all(
      Array.from({ length: 40 }, (_, i) => order("tok", userOf(0, i))),
    );
    await stack.until("some charges", () => provider.book.charges.size >= 5);
    await first.kill();
    stack.spawn("payments", { SLUICE_PROVIDER_URL: provider.url });
    for (const { user, id } of sent) await stack.becomes(user, id, "paid");
    for (const { id } of sent) expect(capturesKept(provider, id)).toBe(1);
    expect(await units()).toEqual({ available: 60, held: 0, sold: 40 });
  },
  TIMEOUT_MS,
);

test(
  "the ledger's money adds up, and agrees with the provider's own record",
  async () => {
    const provider = await stack.payments({
      shares: { decline: 0.2, error_after: 0.1, timeout_after: 0.1, error_before: 0.1 },
    });
    const sent = await Promise.all(
      Array.from({ length: 60 }, (_, i) => order("tok", userOf(0, i))),
    );
    const states: string[] = [];
    for (const { user, id } of sent)
      states.push((await stack.becomes(user, id, "paid", "payment_failed")).state);
    const paid = states.filter((s) => s === "paid").length;
    expect(await units()).toEqual({ available: 100 - paid, held: 0, sold: paid });
    const kept = sent.map(({ id }) => capturesKept(provider, id));
    expect(kept).toEqual(states.map((s) => (s === "paid" ? 1 : 0)));
  },
  TIMEOUT_MS,
);

/** A paid order that its buyer cancels. */
async function cancelled(token: string): Promise<{ user: string; id: string }> {
  const { user, id } = await order(token);
  await stack.becomes(user, id, "paid");
  await stack.publish(0, [cancelRow(user, id, Date.now())]);
  return { user, id };
}

const attemptOf = (of: { user: string; id: string }) => stack.ledger.attempt(of.user, of.id, 1, 1);
const statusIs = (of: { user: string; id: string }, status: string) =>
  stack.until(`the charge to be ${status}`, async () => (await attemptOf(of))?.status === status);

test.each(["refund_conflict", "refund_error", "refund_pending"])(
  "a refund first answered otherwise (%s) is recorded once it is made",
  async (mood) => {
    const provider = await stack.payments();
    const of = await cancelled(`stub:${mood}`);
    await statusIs(of, "refunded");
    expect([...provider.book.charges.values()]).toMatchObject([
      { refunded: true, refundedBy: "request" },
    ]);
  },
  TIMEOUT_MS,
);

test(
  "a permanently refused refund is owed, and dead-lettered",
  async () => {
    const provider = await stack.payments();
    const of = await cancelled("stub:refund_refused");
    await statusIs(of, "refund_failed");
    expect(capturesKept(provider, of.id)).toBe(1);
    expect(await stack.take("payments.dead", 1)).toMatchObject([
      { reason: "refund_failed", id: of.id, amount: 100 },
    ]);
  },
  TIMEOUT_MS,
);
