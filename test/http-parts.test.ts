// Services claim parts over HTTP, with the real stores: whatever is lost, repeated, late or killed,
// each part is given to one claim at a time and dispatched once.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { checkVerdict } from "../cli/doctor/verdict.ts";
import { PartDesk } from "../consumers/fulfilment/part-desk.ts";
import { at } from "../core/domain/at.ts";
import type { Verdict } from "../core/domain/finding.ts";
import type { Part } from "../core/domain/part.ts";
import { cancelRow } from "../core/domain/row.ts";
import { shardOf } from "../core/domain/shard.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { openLedgerWriter } from "../ledger/open.ts";
import type { Shop } from "../sdk/testing.ts";
import { type Answer, type Made, PartsShop } from "./parts-shop.ts";
import { SHARDS } from "./stack.ts";
import { until } from "./until.ts";

const TIMEOUT_MS = 120_000;
const START_MS = 180_000;
/** Each test has a service of its own, and an item that only this service gets. */
const SERVICES = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const ends: (() => Promise<unknown>)[] = [];
let shop: Shop;
let url: string;
let call: PartsShop["call"];
let paid: PartsShop["paid"];
beforeAll(async () => {
  ({ shop, url, call, paid } = await PartsShop.open(SERVICES));
}, START_MS);
afterAll(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await shop?.close();
}, START_MS);

const idsIn = (answer: Answer) => answer.parts.map(({ id }) => id).sort();
const idsOf = (made: readonly { id: string }[]) => made.map(({ id }) => id).sort();
const events = async ({ user, id }: Made) =>
  (await shop.stack.ledger.events(user, id)).map(({ event }) => event);

/** Claims until `count` parts have come; returns them with the claim of each. */
async function collect(service: string, count: number, more: object = {}) {
  const found: Held[] = [];
  for (let n = 0; found.length < count && n < 20; n++) {
    const claim = `${service}-${n}`;
    const { parts } = await call(service, "claim", { claim, max: count, wait: 10, ...more });
    found.push(...parts.map((part) => ({ claim, key: part.key, part })));
  }
  return found;
}

test(
  "parts are claimed, reported and dispatched; whatever is sent again changes nothing",
  async () => {
    const waits = call("one", "claim", { claim: "first", max: 1, wait: 30 });
    const made = await paid("one", 3);
    const first = at((await waits).parts, 0);
    const rest = await collect("one", 2);
    expect([first.id, ...rest.map(({ part }) => part.id)].sort()).toEqual(idsOf(made));
    const { key } = first;
    expect(key).toBe(`${first.user}/${first.id}/1/1`);
    expect(first.lines).toEqual([{ sku: "one", qty: 1, category: "for-one" }]);
    const done = { claim: "first", key, outcome: "done" };
    for (let n = 0; n < 2; n++)
      expect(await call("one", "done", done)).toMatchObject({ status: 200, outcome: "done" });
    expect(await call("one", "done", { ...done, outcome: "later" })).toMatchObject({
      ...{ status: 409, code: "conflict", field: "outcome" },
    });
    await shop.stack.becomes(first.user, first.id, "dispatched");
    expect((await events(first)).filter((e) => e === "done")).toHaveLength(1);
    // What is reported, or has a claim, is given out no more.
    expect((await call("one", "claim", { claim: "first" })).parts).toEqual([]);
    expect((await call("one", "claim", { claim: "other" })).parts).toEqual([]);
    const text = await (await fetch(`${url}/metrics`)).text();
    expect(text).toMatch(/sluice_http_parts_total\{[^}]*outcome="done"[^}]*\} 1\n/);
  },
  TIMEOUT_MS,
);

test(
  "a claim whose answer was lost gives the same parts again, at any gateway, and after a kill",
  async () => {
    const made = await paid("two", 4);
    const port = await freePort();
    const doomed = shop.stack.spawn("gateway", { SLUICE_HTTP_PORT: String(port) });
    const there = `http://127.0.0.1:${port}`;
    const up = () => fetch(`${there}/healthz`).then(({ ok }) => ok);
    await until("the gateway", () => up().catch(() => false), 30_000);
    const first = await call("two", "claim", { claim: "lost", max: 2, wait: 20 }, there);
    expect(first.parts.length).toBeGreaterThan(0);
    // Another claim is in flight when the gateway dies: nobody receives its parts.
    const unheard = call("two", "claim", { claim: "cut", wait: 20 }, there).catch(() => undefined);
    await Bun.sleep(30);
    await doomed.kill();
    await unheard;
    const again = await call("two", "claim", { claim: "lost" });
    expect(idsIn(again)).toEqual(idsIn(first));
    const rest = new Map<string, string>();
    await until("the other parts", async () => {
      for (const claim of ["cut", `rest-${rest.size}`])
        for (const { id } of (await call("two", "claim", { claim })).parts) rest.set(id, claim);
      return rest.size === 4 - first.parts.length;
    });
    expect([...idsIn(first), ...rest.keys()].sort()).toEqual(idsOf(made));
    const reports = [
      ...idsIn(first).map((id) => [id, "lost"] as const),
      ...rest, // by the claim that has it
    ];
    for (const [id, claim] of reports) {
      const { user } = made.find((of) => of.id === id) as Made;
      const report = { claim, key: `${user}/${id}/1/1`, outcome: "done" };
      expect((await call("two", "done", report)).status).toBe(200);
      await shop.stack.becomes(user, id, "dispatched");
    }
  },
  TIMEOUT_MS,
);

test(
  "a lease ends: another claim has the part, the late report is refused, and one counts",
  async () => {
    const [made] = (await paid("three", 1)) as [Made];
    const slow = await call("three", "claim", { claim: "slow", wait: 20, lease: 1 });
    const key = slow.parts[0]?.key;
    const next = await call("three", "claim", { claim: "next", wait: 20, lease: 60 });
    expect(idsIn(next)).toEqual([made.id]);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(slow.leaseUntil as string) - 50);
    const late = { status: 409, code: "lease_ended", field: "claim" };
    const report = { claim: "slow", key, outcome: "done" };
    expect(await call("three", "done", report)).toMatchObject(late);
    expect(await call("three", "claim", { claim: "slow" })).toMatchObject(late);
    expect(await events(made)).not.toContain("done");
    expect((await call("three", "done", { ...report, claim: "next" })).status).toBe(200);
    await shop.stack.becomes(made.user, made.id, "dispatched");
    // It is done now, but not by the late one.
    expect(await call("three", "done", report)).toMatchObject(late);
    const seen = await events(made);
    for (const event of ["claimed", "done", "dispatched"])
      expect(seen.filter((e) => e === event)).toHaveLength(1);
  },
  TIMEOUT_MS,
);

test(
  "a shard that answers after the lease: the part is not given out, and free for the next claim",
  async () => {
    const [made] = (await paid("eight", 1)) as [Made];
    const writer = await openLedgerWriter(realRuntime, shop.stack.settings.ledgerUrl);
    ends.push(() => writer.close());
    let lateMs = 0;
    const leaseParts: typeof writer.leaseParts = async (...of) => {
      const leased = await writer.leaseParts(...of);
      if (leased.kind === "leased" && of[0].claim === "short") lateMs = 2_000;
      return leased;
    };
    const leases = new Proxy(writer, {
      get: (target, name) =>
        name === "leaseParts" ? leaseParts : Reflect.get(target, name).bind(target),
    });
    const desk = new PartDesk({
      ...{ runtime: realRuntime, id: "eu.late", regions: shop.stack.links, shards: SHARDS },
      ...{ leases, now: () => Date.now() + lateMs, log: () => undefined },
    });
    ends.push(() => desk.stop());
    await desk.start();
    const claim = (name: string) =>
      desk.claim(
        { service: "eight", claim: name, most: 1, waitMs: 20_000, leaseMs: 1_000 },
        new AbortController().signal,
      );
    expect(await claim("short")).toEqual({ kind: "unavailable" });
    expect(await claim("next")).toMatchObject({ kind: "claimed", parts: [{ id: made.id }] });
  },
  TIMEOUT_MS,
);

test(
  "what was cancelled is not given out; a foreign service, key or claim gets nothing",
  async () => {
    const [cancelled, kept] = (await paid("four", 2)) as [Made, Made];
    const cancel = ({ user, id }: Made) => [cancelRow(user, id, Date.now())];
    await shop.stack.publish(shardOf(cancelled.user, SHARDS), cancel(cancelled));
    await shop.stack.becomes(cancelled.user, cancelled.id, "cancelled");
    const [found] = await collect("four", 1);
    expect(found?.part.id).toBe(kept.id);
    const { claim, key } = found as { claim: string; key: string };
    const report = { claim, key, outcome: "done" };
    // Claimed: too late to cancel.
    await shop.stack.publish(shardOf(kept.user, SHARDS), cancel(kept));
    expect(await call("five", "done", report)).toMatchObject({ status: 404, field: "key" });
    expect((await call("five", "claim", { claim })).parts).toEqual([]);
    expect(await call("five", "claim", { claim, service: "four" })).toMatchObject({
      ...{ status: 403, code: "forbidden", field: "service" },
    });
    const other = await call("four", "done", { ...report, claim: "d" });
    expect(other).toMatchObject({ status: 409, code: "lease_ended" });
    expect((await call("four", "done", report)).status).toBe(200);
    await shop.stack.becomes(kept.user, kept.id, "dispatched");
    expect(await events(cancelled)).not.toContain("claimed");
  },
  TIMEOUT_MS,
);

test(
  "a part that is put off comes again; one that failed waits for an operator, with its reason",
  async () => {
    await paid("five", 2);
    const [off, bad] = (await collect("five", 2)) as [Held, Held];
    const putOff = { claim: off.claim, key: off.key, outcome: "later" };
    expect((await call("five", "done", putOff)).status).toBe(200);
    const failed = { claim: bad.claim, key: bad.key, outcome: "failed", reason: "no paper" };
    for (let n = 0; n < 2; n++) expect((await call("five", "done", failed)).status).toBe(200);
    const again = await call("five", "claim", { claim: "again", wait: 30 });
    expect(again.parts).toMatchObject([{ id: off.part.id, request: 2 }]);
    const done = { claim: "again", key: off.key, outcome: "done" };
    expect((await call("five", "done", done)).status).toBe(200);
    await shop.stack.becomes(off.part.user, off.part.id, "dispatched");
    const authorization = `Bearer ${await shop.token("ops", "operator")}`;
    const givenUp = async (): Promise<string | undefined> => {
      const answer = await fetch(`${url}/v1/admin/verdict`, { headers: { authorization } });
      const { verdict } = (await answer.json()) as { verdict: Verdict };
      return verdict.findings.find(({ code }) => code === "given_up_parts")?.what;
    };
    await until("a finding of its own", async () => (await givenUp()) !== undefined, 30_000);
    expect(await givenUp()).toMatch(/^a service gave up 1 paid part in /);
    const letter = await shop.stack.take("fulfilment.unrouted", 1);
    expect(letter).toMatchObject([[{ id: bad.part.id }]]);
  },
  TIMEOUT_MS,
);

test(
  "parts that nobody claims any more go back to their queue, for services over AMQP",
  async () => {
    const [made] = (await paid("six", 1)) as [Made];
    expect(await collect("six", 1, { lease: 1 })).toHaveLength(1);
    const writer = await openLedgerWriter(realRuntime, shop.stack.settings.ledgerUrl);
    ends.push(() => writer.close());
    const desk = new PartDesk({
      ...{ runtime: realRuntime, id: "eu.sweeper", regions: shop.stack.links, shards: SHARDS },
      ...{ leases: writer, now: Date.now, log: () => undefined, returnAfterMs: 0 },
    });
    ends.push(() => desk.stop());
    await desk.start();
    const fulfilled = shop.stack.fulfil("six");
    await until("the part to be dispatched", async () => {
      await desk.returnLapsed();
      return (await shop.stack.ledger.order(made.user, made.id))?.state === "dispatched";
    });
    expect(desk.counts.returned).toBeGreaterThan(0);
    await (await fulfilled).stop();
  },
  TIMEOUT_MS,
);

test(
  "the verdict and doctor warn of a service that nobody serves, not of one that claims over HTTP",
  async () => {
    const authorization = `Bearer ${await shop.token("ops", "operator")}`;
    const unserved = async (): Promise<string[]> => {
      const answer = await fetch(`${url}/v1/admin/verdict`, { headers: { authorization } });
      const { verdict } = (await answer.json()) as { verdict: Verdict };
      const found = verdict.findings.filter(({ code }) => code === "no_consumer");
      return found.flatMap(({ subject }) => subject ?? []);
    };
    const has = (service: string) => async () => (await unserved()).includes(service);
    await until("the warning", has("nine"), 60_000);
    expect((await call("nine", "claim", { claim: "mine" })).status).toBe(200);
    await until("its end", async () => !(await has("nine")()), 30_000);
    // doctor reads what the gateway has last reported to Redis.
    const unread = async () => (await checkVerdict(shop.stack.settings)).unread;
    await until("its report", async () => (await unread()).has("nine"), 30_000);
  },
  TIMEOUT_MS,
);

test(
  "a long poll ends at its bound, and too many of them are refused",
  async () => {
    const startMs = performance.now();
    const waits = Array.from({ length: 51 }, (_, n) =>
      call("seven", "claim", { claim: `w${n}`, wait: 1 }),
    );
    const answers = await Promise.all(waits);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(950);
    expect(answers.filter(({ status }) => status === 503)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(50);
    // A service that no route names has no queue.
    const nobody = await call("nobody", "claim", { claim: "c" });
    expect(nobody).toMatchObject({ status: 200, parts: [] });
  },
  TIMEOUT_MS,
);

test("what is wrong with a claim or a report is named", async () => {
  const key = `ann/${Bun.randomUUIDv7()}/1/1`;
  const wrong: [path: "claim" | "done", body: object, field: string | undefined][] = [
    ["claim", {}, "claim"],
    ["claim", { claim: "a b" }, "claim"],
    ["claim", { claim: "c", max: 101 }, "max"],
    ["claim", { claim: "c", wait: 31 }, "wait"],
    ["claim", { claim: "c", lease: 0 }, "lease"],
    ["claim", { claim: "c", more: 1 }, "more"],
    ["done", { claim: "c", key: "ann/1/1", outcome: "done" }, "key"],
    ["done", { claim: "c", key, outcome: "gone" }, "outcome"],
    ["done", { claim: "c", key, outcome: "failed" }, "reason"],
    ["done", { claim: "c", key, outcome: "done", reason: "x" }, "reason"],
  ];
  for (const [path, body, field] of wrong)
    expect([body, await call("one", path, { ...body })]).toMatchObject([
      body,
      { status: 422, field },
    ]);
});

interface Held {
  readonly claim: string;
  readonly key: string;
  readonly part: Part;
}

async function freePort(): Promise<number> {
  const server = Bun.serve({ port: 0, fetch: () => new Response() });
  const { port } = server;
  await server.stop(true);
  return port as number;
}
