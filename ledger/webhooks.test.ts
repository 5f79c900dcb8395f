import { afterAll, describe, expect, test } from "bun:test";
import type { FeedEvent } from "../core/domain/feed-event.ts";
import { MAX_ENDPOINTS } from "../core/domain/webhook-endpoint.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { freshDatabase, testDir } from "../test/services.ts";
import { until } from "../test/until.ts";
import { openLedger } from "./open.ts";
import { SHARDS } from "./test-entries.ts";
import { type EndpointLease, MAX_LOG, type Progress } from "./webhook-contract.ts";

const closing: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const one of closing) await one.close();
});
const LEASE_MS = 60_000;

const event = (id: string): FeedEvent => ({
  ...{ id, type: "order.paid", atMs: 1, shard: 0, n: 1, user: "ann", orderId: "o", saleId: "s" },
  ...{ status: "paid", generation: 1 },
});
const delivery = (eventId: string): Progress["log"][number] => ({
  ...{ eventId, type: "order.paid", subject: "ann/o", shard: 0, n: 1, outcome: "delivered" },
  ...{ status: 200, error: "", tries: 1, tookMs: 1, atMs: 1 },
});

describe.each(["sqlite", "postgres"])("%s", (dialect) => {
  async function fresh() {
    const url =
      dialect === "sqlite" ? `sqlite:${testDir("webhooks")}/ledger.db` : await freshDatabase();
    const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
    closing.push(ledger);
    const { webhooks } = ledger;
    const position = await ledger.feedAt("start");
    const add = async (n: number) => {
      const of = { url: `https://${n}.example`, types: [], secret: "whsec_YQ==", position };
      const added = await webhooks.add({ ...of, by: "ops" });
      if (added === "too_many") throw new Error(added);
      return added.id;
    };
    const progress: Progress = {
      ...{ position, add: [], retry: [], drop: [], log: [] },
      ...{ failingSinceMs: 0, lastError: "", succeededMs: 0 },
    };
    const claim = async (sender: string): Promise<EndpointLease[]> => {
      await webhooks.beat(sender, LEASE_MS, []);
      return webhooks.claim(sender, LEASE_MS, 0);
    };
    return { webhooks, add, progress, claim };
  }

  test("senders get equal shares, and no endpoint has two", async () => {
    const { webhooks, add, claim } = await fresh();
    for (let n = 0; n < 5; n++) await add(n);
    const one = await claim("one");
    expect(one).toHaveLength(5);
    expect(await claim("two")).toEqual([]);
    expect(await webhooks.share()).toBe(3);
    await webhooks.release("one", one.slice(0, 2), false);
    const two = await claim("two");
    expect(two.map((l) => l.endpoint).sort()).toEqual(
      one
        .slice(0, 2)
        .map((l) => l.endpoint)
        .sort(),
    );
    expect(await webhooks.beat("one", LEASE_MS, one)).toEqual(one.slice(2));
    await webhooks.release("one", one.slice(2), true);
    expect(await webhooks.share()).toBe(5);
  });

  test("a sender that has lost its lease writes nothing", async () => {
    const { webhooks, add, progress, claim } = await fresh();
    const id = await add(1);
    const [old] = await claim("one");
    await webhooks.beat("one", 1, [old as EndpointLease]);
    let next: EndpointLease | undefined;
    await until("the lease ends", async () => {
      [next] = await claim("two");
      return next !== undefined;
    });
    const held = { event: event("e"), tries: 1, dueMs: 1, sinceMs: 1, manual: false };
    const more = { ...progress, add: [held], log: [delivery("e")] };
    expect(await webhooks.advance(old as EndpointLease, more)).toBe(false);
    expect([await webhooks.held(id), await webhooks.log(id, 9)]).toEqual([[], []]);
    expect(await webhooks.advance(next as EndpointLease, more)).toBe(true);
    expect(await webhooks.held(id)).toMatchObject([held]);
    await webhooks.pause(id, "ops", "a test");
    expect(await webhooks.advance(next as EndpointLease, progress)).toBe(false);
    expect(await claim("one")).toEqual([]);
    expect((await webhooks.list())[0]?.paused).toMatchObject({ by: "ops", why: "a test" });
    await webhooks.resume(id);
    expect(await claim("one")).toHaveLength(1);
  });

  test("the log and the endpoints are bounded; what is removed leaves nothing", async () => {
    const { webhooks, add, progress, claim } = await fresh();
    const id = await add(0);
    const [lease] = await claim("one");
    for (const part of ["a", "b", "c"]) {
      const log = Array.from({ length: 600 }, (_, i) => delivery(`${part}-${i}`));
      expect(await webhooks.advance(lease as EndpointLease, { ...progress, log })).toBe(true);
    }
    const log = (await webhooks.log(id, 5_000)) ?? [];
    expect([log.length, log[0]?.eventId, log.at(-1)?.eventId]).toEqual([MAX_LOG, "c-599", "b-200"]);
    expect(await webhooks.remove(id)).toBe(true);
    expect(await webhooks.log(id, 1)).toBeUndefined();
    expect([await webhooks.remove(id), await webhooks.list()]).toEqual([false, []]);
    for (let n = 0; n < MAX_ENDPOINTS; n++) await add(n);
    expect(add(MAX_ENDPOINTS)).rejects.toThrow("too_many");
  });
});
