// Dead letters on the command line and over HTTP: an order that is not valid, a message without
// orders, and a card that is always declined.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { ORDERS_EXCHANGE, PAYMENTS_DEAD, UNROUTED } from "../broker/topology.ts";
import { makeLog } from "../cli/log.ts";
import { Letters } from "../cli/operator/dead-letters.ts";
import { startGatewayRole } from "../cli/roles/gateway.ts";
import { at } from "../core/domain/at.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { readSettings } from "../core/settings/settings.ts";
import { LedgerAudit } from "../ledger/audit.ts";
import { mintToken } from "../proof/load/tokens.ts";
import { type Output, outputOf } from "./output-of.ts";
import { makeOrder, Stack, userOf } from "./stack.ts";

const CLI = join(import.meta.dir, "..", "cli", "cli.ts");
const TIMEOUT_MS = 60_000;
const SECRET = "a secret that is long enough for HS256";
let stack: Stack;
let provider: Awaited<ReturnType<Stack["payments"]>>;
let gateway: Awaited<ReturnType<typeof startGatewayRole>>;
let operator: Record<string, string>;
afterAll(async () => {
  await gateway?.stop();
  await stack?.stop();
}, TIMEOUT_MS);

const dead = (...args: string[]): Promise<Output> =>
  outputOf([process.execPath, CLI, "dead", ...args], { env: { ...process.env, ...stack.env } });

type Letter = {
  id: string;
  queue: string;
  user?: string;
  source?: { exchange: string; routingKey: string };
  body: Record<string, unknown> | string;
};
const letters = async (...args: string[]) =>
  (JSON.parse((await dead("list", "--json", ...args)).out) as { letters: Letter[] }).letters;
const call = async (method: string, path: string, body?: unknown, url = gateway.gateway.url) => {
  const response = await fetch(`${url}/v1/admin/dead${path}`, {
    method,
    headers: { "content-type": "application/json", ...operator },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return {
    status: response.status,
    body: (await response.json()) as Record<string, unknown> & { letters?: Letter[] },
  };
};

/** An order that ends in payment_failed. */
async function failed(n: number): Promise<{ user: string; id: string }> {
  const { order, row } = makeOrder(userOf(0, n), { a: 1 }, { payment: "stub:decline" });
  await stack.publish(0, [row]);
  await stack.becomes(order.user, order.id, "payment_failed");
  return order;
}

const garbage = async (text = "no orders at all") =>
  expect(await stack.links[0]?.publisher.publish(ORDERS_EXCHANGE, "1", Buffer.from(text))).toBe(
    "confirmed",
  );

beforeAll(async () => {
  stack = await Stack.start({
    env: {
      SLUICE_RETRY_DELAYS: "10ms,10ms,10ms",
      SLUICE_JWT_SECRET: SECRET,
      SLUICE_HTTP_PORT: "0",
    },
  });
  await stack.sale({ a: 100 });
  await stack.worker("w1");
  provider = await stack.payments();
  gateway = await startGatewayRole(
    realRuntime,
    readSettings(stack.env),
    "gw",
    makeLog("gw", () => undefined),
  );
  operator = {
    authorization: `Bearer ${await mintToken(
      { secret: SECRET, issuer: "sluice", audience: "sluice" },
      "olga",
      "operator",
    )}`,
  };
  await failed(0);
  await garbage();
  await stack.until("both letters", async () => (await letters()).length === 2);
}, TIMEOUT_MS);

test(
  "letters are listed and shown with reason and trail, and stay in their queues",
  async () => {
    const found = await letters();
    expect(found.map((l) => l.queue)).toEqual(["orders.dead", "payments.dead"]);
    const listed = (await dead()).out;
    expect(listed).toContain("not JSON");
    expect(listed).toContain("payment_failed");
    const shown = await dead("show", at(found, 1).id);
    expect(JSON.parse(shown.out)).toMatchObject({
      queue: "payments.dead",
      user: userOf(0),
      body: { reason: "payment_failed", attempts: 4 },
    });
    expect((await letters("--queue", PAYMENTS_DEAD)).map((l) => l.queue)).toEqual([PAYMENTS_DEAD]);
    expect((await letters("--reason", "not JSON")).map((l) => l.queue)).toEqual(["orders.dead"]);
    expect((await call("GET", "")).body.letters).toEqual(JSON.parse(JSON.stringify(found)));
    expect((await call("GET", `?user=${userOf(0)}`)).body.letters?.map((l) => l.queue)).toEqual([
      PAYMENTS_DEAD,
    ]);
    expect((await call("GET", `/${at(found, 1).id}`)).body).toMatchObject({
      body: { attempts: 4 },
    });
    expect(await letters()).toEqual(found);
  },
  TIMEOUT_MS,
);

test(
  "a letter is sent again to its original destination",
  async () => {
    const [first] = (await letters("--queue", "orders.dead")) as [Letter];
    expect(first.source).toEqual({ exchange: "orders", routingKey: "1" });
    expect(await dead("redrive", first.id)).toMatchObject({ code: 0, out: "1 sent again\n" });
    // It is no more valid than before, and so comes back.
    await stack.until("the letter to come back", async () => (await letters()).length === 2);
  },
  TIMEOUT_MS,
);

test(
  "a redriven payment has a new generation and new keys, and a new letter if it fails again",
  async () => {
    const [{ user, body }] = (await letters("--queue", PAYMENTS_DEAD)) as [Letter];
    const id = (body as { id: string }).id;
    expect(await dead("redrive", "--user", user as string)).toMatchObject({
      code: 0,
      out: "1 sent again\n",
    });
    await stack.until("the second letter", async () =>
      (await letters("--queue", PAYMENTS_DEAD)).some(
        (l) => (l.body as { generation: number }).generation === 2,
      ),
    );
    const keys = [...provider.book.charges.keys()].filter((key) => key.includes(id));
    expect(keys.map((key) => key.split("/").slice(2).join("/")).toSorted()).toEqual([
      "1/1",
      "1/2",
      "1/3",
      "1/4",
      "2/1",
      "2/2",
      "2/3",
      "2/4",
    ]);
    provider.forgive();
    const [second] = (await letters("--queue", PAYMENTS_DEAD)) as [Letter];
    expect((await call("POST", `/${second.id}/redrive`)).body).toMatchObject({
      matched: 1,
      done: 1,
      left: [],
    });
    await stack.becomes(user as string, id, "paid");
    expect(await letters("--queue", PAYMENTS_DEAD)).toEqual([]);
    expect(
      (await stack.ledger.events(user as string, id)).filter((e) => e.event === "redriven").length,
    ).toBe(2);
  },
  TIMEOUT_MS,
);

test(
  "a redrive cut off after its publish repeats without effect, one after its grant continues",
  async () => {
    provider.forgive(false);
    const { user, id } = await failed(2);
    // Granted but not published: the process died in between.
    expect(await stack.ledger.grantRedrive(user, id, 1, "test")).toMatchObject({
      row: { generation: 2 },
    });
    const opened = await Letters.open(realRuntime, stack.settings, stack.ledger);
    provider.forgive();
    const letter = async () => (await opened.list({ queue: PAYMENTS_DEAD, user }, 100)).letters[0];
    await stack.until("the letter", async () => (await letter()) !== undefined);
    const copy = JSON.stringify((await letter())?.body);
    expect(await opened.redrive({ user, queue: PAYMENTS_DEAD }, 100, "test")).toMatchObject({
      matched: 1,
      done: 1,
    });
    await stack.becomes(user, id, "paid");
    // Published, but the letter has not been removed.
    await stack.links[0]?.publisher.publish("", PAYMENTS_DEAD, Buffer.from(copy));
    await stack.until("the letter again", async () => (await letter()) !== undefined);
    expect(await opened.redrive({ user, queue: PAYMENTS_DEAD }, 100, "test")).toMatchObject({
      matched: 1,
      done: 1,
      left: [],
    });
    await opened.close();
    expect([...provider.book.charges.keys()].filter((key) => key.includes(`${id}/2`))).toEqual([
      `${user}/${id}/2/1`,
    ]);
  },
  TIMEOUT_MS,
);

test(
  "over HTTP: many by filter or chosen; operators only; a filter or a choice is required",
  async () => {
    provider.forgive(false);
    for (const n of [4, 5]) await failed(n);
    await stack.until(
      "their letters",
      async () => (await letters("--queue", PAYMENTS_DEAD)).length === 2,
    );
    expect((await call("POST", "/drop", {})).body).toMatchObject({ status: 422, field: "all" });
    expect((await call("POST", "/drop", { reson: "x" })).body).toMatchObject({
      status: 422,
      code: "unknown_field",
      field: "reson",
    });
    expect((await call("GET", "?limit=0")).body).toMatchObject({ status: 422, field: "limit" });
    expect((await call("POST", "/00000000/drop")).status).toBe(404);
    expect((await call("POST", "/drop", { ids: ["all"] })).body).toMatchObject({
      ...{ status: 422, field: "ids[0]" },
    });
    const [junk] = (await letters("--queue", "orders.dead")) as [Letter];
    expect((await call("POST", "/drop", { ids: [junk.id, "00000000"] })).body).toMatchObject({
      ...{ matched: 1, done: 1 },
    });
    expect(await letters()).toHaveLength(2);
    provider.forgive();
    expect((await call("POST", "/redrive", { reason: "payment_failed" })).body).toMatchObject({
      matched: 2,
      done: 2,
    });
    expect(await letters()).toEqual([]);
    const stranger = await fetch(`${gateway.gateway.url}/v1/admin/dead`);
    expect(stranger.status).toBe(401);
  },
  TIMEOUT_MS,
);

test(
  "a dropped letter is gone, and an unknown id is named",
  async () => {
    await garbage();
    await stack.until("the letter", async () => (await letters()).length === 1);
    expect(await dead("drop", "00000000")).toMatchObject({
      code: 1,
      err: "sluice: no dead letter 00000000\n",
    });
    expect(await dead("drop")).toMatchObject({
      code: 2,
      err: expect.stringContaining("specify which: 'sluice dead drop ID', 'all', or a filter\n"),
    });
    expect((await dead("list", "--queue", "orders")).err).toContain(
      "--queue must be one of orders.dead",
    );
    expect(await dead("drop", "all")).toMatchObject({ code: 0, out: "1 dropped\n" });
    expect(await letters()).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "a drop or redrive is recorded before the letter leaves, with its order and the operator",
  async () => {
    const audit = await LedgerAudit.open(realRuntime, stack.settings.ledgerUrl);
    const before = (await audit.letters()).length;
    provider.forgive(false);
    const { user, id } = await failed(7);
    await stack.until("its letter", async () => (await letters("--user", user)).length === 1);
    provider.forgive();
    expect(await dead("redrive", "--user", user)).toMatchObject({ code: 0 });
    await stack.becomes(user, id, "paid");
    await garbage();
    await stack.until("the letter", async () => (await letters()).length === 1);
    const [junk] = (await letters()) as [Letter];
    expect((await call("POST", "/drop", { all: true })).body).toMatchObject({ done: 1 });
    const about = { queue: "payments.dead", user, id, generation: 1 };
    expect((await audit.letters()).slice(before)).toMatchObject([
      { ...about, fate: "redriven", subject: expect.stringMatching(/^command line /) },
      { fate: "dropped", letter: junk.id, queue: "orders.dead", user: "", subject: "olga" },
    ]);
    await audit.close();
  },
  TIMEOUT_MS,
);

test(
  "parts that a service gave up are listed and found by id; those without a route are counted",
  async () => {
    const part = { user: userOf(0, 7), id: makeOrder(userOf(0, 7), { a: 1 }).order.id };
    const send = async (lines: string, headers = {}) => {
      const body = Buffer.from(JSON.stringify([{ ...part, lines }]));
      expect(await stack.links[0]?.publisher.publish(UNROUTED, "eu.a", body, { headers })).toBe(
        "confirmed",
      );
    };
    // Those of the other tests' orders, whose category has no route either.
    await dead("drop", "--queue", UNROUTED);
    const before = await letters();
    await send("waits");
    const region = at(stack.links, 0).connection.region;
    const waiting = [{ region, messages: 1 }];
    await stack.until("it to be counted", async () =>
      Bun.deepEquals((await call("GET", "")).body.waiting, waiting),
    );
    // Nobody may take it for an empty list.
    expect((await dead("--user", "nobody")).out).toBe("empty\n");
    const more = `1 more in fulfilment.unrouted of ${region}: they wait for a route`;
    expect((await dead()).out).toContain(more);
    await send("failed", { "x-reason": "failed at packer: broken" });
    const isGivenUp = ({ queue }: Letter) => queue === UNROUTED;
    await stack.until("the other to be listed", async () => (await letters()).some(isGivenUp));
    const found = (await letters()).filter(isGivenUp);
    expect(found).toMatchObject([{ ...{ user: part.user, reason: "failed at packer: broken" } }]);
    expect(JSON.parse((await dead("--json")).out)).toMatchObject({ waiting });
    expect((await call("GET", "")).body).toMatchObject({ waiting });
    expect((await call("GET", "")).body.letters?.filter(isGivenUp)).toEqual(found);
    const { id } = at(found, 0);
    expect((await dead("show", id)).out).toContain("broken");
    expect((await call("GET", `/${id}`)).status).toBe(200);
    expect(await letters("--reason", "packer")).toEqual(found);
    // 'all' and filters deal with what is listed, and with nothing else.
    expect((await dead("drop", "--user", part.user)).out).toBe("1 dropped\n");
    await send("failed again", { "x-reason": "failed at packer: broken" });
    await stack.until("it to be listed", async () => (await letters()).some(isGivenUp));
    const [again] = (await letters()).filter(isGivenUp);
    expect(await call("POST", `/${again?.id}/redrive`)).toMatchObject({ body: { done: 1 } });
    // Without a route, it waits for one now.
    await stack.until("both to wait", async () =>
      Bun.deepEquals((await call("GET", "")).body.waiting, [{ region, messages: 2 }]),
    );
    expect((await call("GET", "?queue=fulfilment.unrouted")).body.letters).toHaveLength(2);
    for (const letter of await letters("--queue", UNROUTED))
      expect((await dead("drop", letter.id)).out).toBe("1 dropped\n");
    expect(await letters()).toEqual(before);
    expect((await dead("show", id)).err).toContain("no dead letter");
  },
  TIMEOUT_MS,
);

test(
  "a redrive that is not sent, or not recorded, leaves its letter, and may be repeated",
  async () => {
    provider.forgive(false);
    const { user, id } = await failed(8);
    await stack.until("its letter", async () => (await letters("--user", user)).length === 1);
    provider.forgive();
    const unsure = await Letters.open(realRuntime, stack.settings, {
      grantRedrive: async () => "unknown",
      askOnce: (of) => stack.ledger.askOnce(of),
      orderStory: (...of) => stack.ledger.orderStory(...of),
      recordLetter: () => Promise.reject(new Error("it was recorded though not sent")),
    });
    expect(await unsure.redrive({ user }, 100, "test")).toMatchObject({
      ...{ done: 0, left: [{ why: expect.stringContaining("may still be captured") }] },
    });
    await unsure.close();
    const opened = await Letters.open(realRuntime, stack.settings, {
      grantRedrive: (...of) => stack.ledger.grantRedrive(...of),
      askOnce: (of) => stack.ledger.askOnce(of),
      orderStory: (...of) => stack.ledger.orderStory(...of),
      recordLetter: () => Promise.reject(new Error("the disk is full")),
    });
    const refused = await opened.redrive({ user }, 100, "test").catch((error: Error) => error);
    await opened.close();
    expect(String(refused)).toContain("the disk is full");
    await stack.becomes(user, id, "paid");
    expect((await letters("--user", user)).length).toBe(1);
    expect(await dead("redrive", "--user", user)).toMatchObject({ code: 0 });
    expect(await letters("--user", user)).toEqual([]);
    const audit = await LedgerAudit.open(realRuntime, stack.settings.ledgerUrl);
    const recorded = (await audit.letters()).filter((letter) => letter.user === user);
    await audit.close();
    expect(recorded).toMatchObject([{ fate: "redriven", id }]);
  },
  TIMEOUT_MS,
);

test(
  "while a region's broker is away, the others' letters are served, and it is named",
  async () => {
    await dead("drop", "all");
    for (const n of [1, 2, 3]) await garbage(`no orders: ${n}`);
    await stack.until("the letters", async () => (await letters()).length === 3);
    const env = {
      ...stack.env,
      SLUICE_REGIONS: `us=amqp://127.0.0.1:1,${stack.env.SLUICE_REGIONS}`,
    };
    const cut = (...args: string[]) =>
      outputOf([process.execPath, CLI, "dead", ...args], { env: { ...process.env, ...env } });
    const silent = "sluice: us did not answer: letters there are";
    const listed = await cut("list", "--json");
    expect(listed).toMatchObject({ code: 69, err: `${silent} not listed\n` });
    expect(JSON.parse(listed.out)).toMatchObject({ letters: [{}, {}, {}], unasked: ["us"] });
    const [{ id }] = (await letters()) as [Letter];
    expect(JSON.parse((await cut("show", id)).out)).toMatchObject({ id });
    expect(await cut("show", "00000000")).toMatchObject({
      ...{ code: 69, err: expect.stringContaining("us did not answer") },
    });
    expect(await cut("drop", "00000000")).toMatchObject({
      code: 69,
      err: "sluice: no dead letter 00000000; us did not answer: letters there are unchanged\n",
    });
    expect(await cut("drop", id)).toMatchObject({ code: 0, out: "1 dropped\n", err: "" });
    const other = await startGatewayRole(
      realRuntime,
      readSettings({ ...env, SLUICE_REGION: "eu" }),
      "other",
      makeLog("other", () => undefined),
    );
    const ask = (method: string, path: string, body?: unknown) =>
      call(method, path, body, other.gateway.url);
    expect((await ask("GET", "")).body).toMatchObject({ letters: [{}, {}], unasked: ["us"] });
    expect((await ask("GET", "/00000000")).body).toMatchObject({
      ...{ status: 503, detail: "us did not answer; no other region has it" },
    });
    const [next] = (await letters()) as [Letter];
    expect((await ask("POST", "/drop", { ids: [next.id] })).body).toEqual({
      ...{ matched: 1, done: 1, left: [], unasked: ["us"] },
    });
    await other.stop();
    expect(await cut("drop", "--queue", "orders.dead")).toMatchObject({
      ...{ code: 69, out: "1 dropped\n", err: `${silent} unchanged\n` },
    });
  },
  TIMEOUT_MS,
);
