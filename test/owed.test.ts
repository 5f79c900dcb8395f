// Money owed stays open until its end is definite, and delays nobody: refused refunds, charges
// captured after they were given up, answers that are not answers, invalid requests.
import { afterEach, expect, test } from "bun:test";
import { Letters } from "../cli/operator/dead-letters.ts";
import { at } from "../core/domain/at.ts";
import { cancelRow } from "../core/domain/row.ts";
import { shardOf } from "../core/domain/shard.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import type { Provider } from "../stubs/provider/server.ts";
import { makeOrder, SHARDS, Stack, userOf } from "./stack.ts";

const TIMEOUT_MS = 120_000;
const FAST_RETRIES = { SLUICE_RETRY_DELAYS: "50ms,100ms,200ms", SLUICE_GOVERNOR_CPU: "off" };
let stack: Stack;
afterEach(async () => stack?.stop(), TIMEOUT_MS);

async function start(env: Record<string, string> = {}): Promise<void> {
  stack = await Stack.start({ env: { ...FAST_RETRIES, ...env } });
  await stack.sale({ a: 10_000 });
  await stack.worker("w1");
}

interface Placed {
  readonly user: string;
  readonly id: string;
}

async function order(payment: string, user = userOf(0)): Promise<Placed> {
  const { order: made, row } = makeOrder(user, { a: 1 }, { payment });
  await stack.publish(shardOf(user, SHARDS), [row]);
  return { user, id: made.id };
}

/** How long an order takes to become paid, ms. */
async function timeToPay(user: string): Promise<number> {
  const startMs = performance.now();
  const placed = await order("tok", user);
  await stack.becomes(placed.user, placed.id, "paid");
  return performance.now() - startMs;
}

async function cancel({ user, id }: Placed): Promise<void> {
  await stack.publish(shardOf(user, SHARDS), [cancelRow(user, id, Date.now())]);
}

const events = async ({ user, id }: Placed) =>
  (await stack.ledger.events(user, id)).map((e) => e.event);

const kept = (provider: Provider, { id }: Placed) =>
  [...provider.book.charges.values()].filter(
    (c) => c.order === id && c.status === "captured" && !c.refunded,
  ).length;

test(
  "500 refused refunds delay no new order; each is dead-lettered, and asked for again on redrive",
  async () => {
    await start();
    const provider = await stack.payments();
    const aloneMs = await timeToPay(userOf(1, 2));
    const users = Array.from({ length: 250 }, (_, n) => userOf(0, n));
    const sent: Placed[] = [];
    for (let round = 0; round < 2; round++) {
      const made = users.map((user) =>
        makeOrder(user, { a: 1 }, { payment: "stub:refund_refused" }),
      );
      for (let at = 0; at < made.length; at += 50)
        await stack.publish(
          0,
          made.slice(at, at + 50).map((m) => m.row),
        );
      sent.push(...made.map(({ order: { user, id } }) => ({ user, id })));
    }
    for (const { user, id } of sent) await stack.becomes(user, id, "paid");
    for (let at = 0; at < sent.length; at += 50)
      await stack.publish(
        0,
        sent.slice(at, at + 50).map(({ user, id }) => cancelRow(user, id, Date.now())),
      );
    const [last] = sent.slice(-1);
    await stack.becomes(last?.user as string, last?.id as string, "cancelled");
    // Far less than 500 refunds one after the other, on a slow machine too.
    expect(await timeToPay(userOf(1, 3))).toBeLessThan(2_000 + 20 * aloneMs);
    await stack.until(
      "all refunds to be refused permanently",
      async () => (await stack.ledger.owed()).refund_failed === sent.length,
      60_000,
    );
    expect(await events(at(sent, 0))).toContain("refund_failed");
    const letters = (await stack.take("payments.dead", sent.length)) as { reason: string }[];
    expect(new Set(letters.map((l) => l.reason))).toEqual(new Set(["refund_failed"]));
    provider.forgive();
    const of = { ...at(sent, 0), generation: 1, attempt: 1 };
    expect(await stack.ledger.askOnce(of)).toBe("asked");
  },
  TIMEOUT_MS,
);

test(
  "a letter about money owed is not dropped, and a redrive settles it",
  async () => {
    await start();
    const provider = await stack.payments();
    const placed = await order("stub:refund_refused");
    await stack.becomes(placed.user, placed.id, "paid");
    await cancel(placed);
    const owed = async () => (await stack.ledger.owed()).refund_failed;
    await stack.until("the refund to be refused", async () => (await owed()) === 1);
    const letters = await Letters.open(realRuntime, stack.settings, stack.ledger);
    await stack.until("its letter", async () => (await letters.list({}, 10)).letters.length === 1);
    expect(await letters.drop({}, 10, "olga")).toMatchObject({
      matched: 1,
      done: 0,
      left: [{ why: expect.stringMatching(/^not dropped: [\d.]+ EUR are owed to .+ redrive/) }],
    });
    const charge = [...provider.book.charges.values()].find((c) => c.order === placed.id);
    if (!charge) throw new Error("no charge");
    await provider.book.refund(charge, "provider");
    expect(await letters.redrive({}, 10, "olga")).toMatchObject({ matched: 1, done: 1 });
    await stack.until("the refund", async () => (await events(placed)).includes("refunded"));
    expect(kept(provider, placed)).toBe(0);
    await letters.close();
  },
  TIMEOUT_MS,
);

test.each(["refund_conflict", "refund_error", "refund_pending"])(
  "a refund without a definite answer (%s) is asked for until it has one, and made once",
  async (mood) => {
    await start();
    const provider = await stack.payments();
    const placed = await order(`stub:${mood}`);
    await stack.becomes(placed.user, placed.id, "paid");
    await cancel(placed);
    await stack.until("the refund", async () => (await events(placed)).includes("refunded"));
    expect(kept(provider, placed)).toBe(0);
    expect((await events(placed)).filter((e) => e === "refund")).toHaveLength(1);
  },
  TIMEOUT_MS,
);

test.each(["html200", "redirect", "wrong_key", "wrong_amount", "declined200", "huge_answer"])(
  "an invalid answer (%s) is no capture: the look-up decides by the provider's record",
  async (mood) => {
    await start();
    const provider = await stack.payments();
    const placed = await Promise.all([0, 1, 2, 3].map((n) => order(`stub:${mood}`, userOf(0, n))));
    for (const one of placed) {
      const { state } = await stack.becomes(one.user, one.id, "paid", "payment_failed");
      expect(kept(provider, one)).toBe(state === "paid" ? 1 : 0);
    }
  },
  TIMEOUT_MS,
);

test(
  "given up as unknown, then captured: it is refunded, and a redrive waits for that",
  async () => {
    await start({ SLUICE_UNKNOWN_MAX: "1s" });
    // No webhook reports it, so the look-ups have to find it.
    const provider = await stack.payments({ delays: { pendingMs: 6_000 }, webhookUrl: "" });
    const placed = await order("stub:pending");
    await stack.becomes(placed.user, placed.id, "payment_failed");
    const redrive = () => stack.ledger.grantRedrive(placed.user, placed.id, 1, "op");
    expect(await redrive()).toBe("unknown");
    await stack.until(
      "the first attempt to be refunded",
      async () => (await events(placed)).includes("refunded"),
      60_000,
    );
    const grant = await redrive();
    if (typeof grant === "string") throw new Error(grant);
    const again = { ...grant.row.order, payment: "tok" };
    await stack.publish(grant.shard, [{ ...grant.row, order: again }]);
    await stack.becomes(placed.user, placed.id, "paid");
    expect(kept(provider, placed)).toBe(1);
  },
  TIMEOUT_MS,
);

test(
  "an invalid request is dead-lettered alone, naming its order; the rest of its message is paid",
  async () => {
    await start();
    const placed = [await order("tok", userOf(0, 0)), await order("tok", userOf(0, 1))] as const;
    for (const { user, id } of placed) await stack.decided(user, id);
    type Requests = { amount: number; id: string }[];
    const both = at((await stack.take("payments", 1)) as Requests[], 0);
    if (both.length < 2) both.push(...at((await stack.take("payments", 1)) as Requests[], 0));
    const [bad, good] = both.map((r) => (r.id === placed[0].id ? { ...r, amount: 1e15 } : r));
    const [link] = stack.links;
    const body = Buffer.from(JSON.stringify([bad, good, null, 7]));
    await link?.publisher.publish("", "payments", body, {});
    await stack.payments();
    await stack.becomes(placed[1].user, placed[1].id, "paid");
    const letters = (await stack.take("payments.dead", 3)) as { reason: string; id?: string }[];
    expect(letters.map((l) => l.reason)).toEqual(Array(3).fill("malformed payment request"));
    const { user, id } = placed[0];
    expect(letters.map((l) => l.id).filter(Boolean)).toEqual([id]);
    // On redrive the ledger writes the request again.
    await stack.ledger.askOnce({ user, id, generation: 1, attempt: 1 });
    await stack.becomes(user, id, "paid");
  },
  TIMEOUT_MS,
);

test(
  "a retry's short wait never queues behind a longer one",
  async () => {
    await start({ SLUICE_RETRY_DELAYS: "300ms,300ms,300ms" });
    await stack.payments({ delays: { pendingMs: 20_000 } });
    const pending = await order("stub:pending", userOf(0, 0));
    await stack.decided(pending.user, pending.id);
    const declined = await order("stub:decline:1", userOf(0, 1));
    const startedMs = performance.now();
    await stack.becomes(declined.user, declined.id, "paid");
    expect(performance.now() - startedMs).toBeLessThan(8_000);
    expect((await stack.ledger.order(pending.user, pending.id))?.state).toBe("reserved");
  },
  TIMEOUT_MS,
);
