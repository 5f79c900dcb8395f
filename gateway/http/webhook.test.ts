import { afterEach, expect, test } from "bun:test";
import type { Entry, OrderStep, Step } from "../../core/domain/entry.ts";
import type { Order } from "../../core/domain/order.ts";
import { orderRow, type Row } from "../../core/domain/row.ts";
import { shardOf } from "../../core/domain/shard.ts";
import { signWebhook } from "../../core/domain/webhook-signature.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { LedgerWriter } from "../../ledger/contract.ts";
import { openLedgerWriter } from "../../ledger/open.ts";
import { entryOf } from "../../ledger/test-entries.ts";
import { post, startTestGateway, type TestGateway } from "../testing.ts";

const SECRETS = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "the previous one"];
const USER = "ann";
const AMOUNT = 4_900;
let t: TestGateway;
let writer: LedgerWriter;
let logged: [string, Record<string, unknown>][];
let record: (rows: readonly Row[], words: string, more?: Partial<Entry>) => Promise<void>;
let sent = 0;

async function start(): Promise<TestGateway> {
  logged = [];
  t = await startTestGateway({
    webhookSecrets: SECRETS,
    log: (event, detail) => logged.push([event, detail]),
  });
  writer = await openLedgerWriter(realRuntime, `sqlite:${t.ledgerPath}`);
  const shard = shardOf(USER, t.ledger.shards);
  const { epoch } = await writer.takeShard(shard, "w");
  let n = 0;
  record = async (rows, words, more = {}) => {
    const entry = entryOf(shard, ++n, rows, words, more);
    expect(await writer.record([{ entry, epoch }])).toEqual(["recorded"]);
  };
  return t;
}

afterEach(async () => {
  await writer?.close();
  await t?.close();
});

/** Places an order that is being charged for the first time; returns its id. */
async function charging(): Promise<string> {
  const id = Bun.randomUUIDv7();
  const order: Order = {
    user: USER,
    id,
    saleId: "spring",
    seq: 0,
    currency: "EUR",
    lines: [{ sku: "lamp", qty: 1 }],
    payment: "card",
    metadata: "",
    maxTotal: 0,
  };
  await record([orderRow(order, 1)], "reserved");
  return id;
}

const step = (what: OrderStep["what"], id: string): Step => {
  const of = { user: USER, id, generation: 1, attempt: 1, gateway: "g", saleId: "spring" };
  return { what, ...of, lines: [{ sku: "lamp", qty: 1 }], detail: "" };
};

const eventOf = (id: string, status: string, more: Record<string, unknown> = {}) =>
  JSON.stringify({ key: `${USER}/${id}/1/1`, amount: AMOUNT, currency: "EUR", status, ...more });

interface Sending {
  readonly id?: string;
  readonly secrets?: readonly string[];
  readonly atMs?: number;
}

/** Posts a body as the provider does; returns status, and outcome or problem code and field. */
async function webhook(
  body: string,
  { id = `msg_${++sent}`, secrets = SECRETS.slice(0, 1), atMs = Date.now() }: Sending = {},
) {
  const headers = signWebhook(id, body, secrets, atMs);
  const response = await post(`${t.gateway.url}/v1/payments/webhook`, body, headers);
  const { outcome, code, field } = (await response.json()) as Record<string, string>;
  return [response.status, outcome ?? code, ...(field === undefined ? [] : [field])];
}

/** The answers sent to the order's shard, by attempt. */
const told = () =>
  t.broker.rows.flatMap((row) => {
    if (row.kind !== "answer") return [];
    const { user, id, generation, attempt, answer, detail } = row;
    return [[user, id, generation, attempt, answer, detail]];
  });

test.each([
  ["captured", "captured"],
  ["declined", "failed"],
])("a signed webhook, %s, becomes an answer to its attempt", async (status, word) => {
  await start();
  const id = await charging();
  expect(await webhook(eventOf(id, status))).toEqual([200, "taken"]);
  expect(told()).toEqual([[USER, id, 1, 1, word, "webhook"]]);
});

test("during a rotation signatures by either secret are valid, alone or together", async () => {
  await start();
  const id = await charging();
  for (const secrets of [
    SECRETS,
    [...SECRETS].reverse(),
    SECRETS.slice(1),
    ["a newer", ...SECRETS],
  ])
    expect(await webhook(eventOf(id, "captured"), { secrets })).toEqual([200, "taken"]);
  expect(told().length).toBe(4);
});

test("a forged, altered, unsigned, late or future-dated webhook is 401", async () => {
  await start();
  const body = eventOf(await charging(), "captured");
  const refused = [401, "bad_token", "webhook-signature"];
  expect(await webhook(body, { secrets: ["not the secret"] })).toEqual(refused);
  expect(await webhook(body, { secrets: [] })).toEqual(refused);
  for (const atMs of [Date.now() - 3_600_000, Date.now() + 3_600_000])
    expect(await webhook(body, { atMs })).toEqual([401, "bad_token", "webhook-timestamp"]);
  const url = `${t.gateway.url}/v1/payments/webhook`;
  const headers = signWebhook("msg_1", body, SECRETS, Date.now());
  for (const [text, more] of [
    [body.replace("captured", "declined"), headers],
    [body, { ...headers, "webhook-id": "msg_2" }],
    [body, { "payment-signature": "t=1,v1=00" }],
    [body, {}],
  ] as const)
    expect((await post(url, text, more)).status).toBe(401);
  expect(told()).toEqual([]);
});

test("a replay is answered 200 and changes nothing", async () => {
  await start();
  const body = eventOf(await charging(), "captured");
  expect(await webhook(body, { id: "msg_a" })).toEqual([200, "taken"]);
  expect(await webhook(body, { id: "msg_a" })).toEqual([200, "replay"]);
  expect(told().length).toBe(1);
});

test("a refused or unconfirmed webhook is not a replay when sent again", async () => {
  await start();
  const body = eventOf(await charging(), "captured");
  t.broker.answer = "unknown";
  expect(await webhook(body, { id: "msg_a" })).toEqual([503, "unconfirmed"]);
  t.broker.answer = "confirmed";
  expect(await webhook(body, { id: "msg_a" })).toEqual([200, "taken"]);
});

test("unknown kinds and foreign charges are 200, logged, and have no effect", async () => {
  await start();
  const id = await charging();
  for (const status of ["authorized", "payout.paid", ""])
    expect(await webhook(eventOf(id, status))).toEqual([200, "unknown_kind"]);
  for (const key of [
    `${USER}/${Bun.randomUUIDv7()}/1/1`,
    `nobody/${id}/1/1`,
    `${USER}/${id}/1/2`,
    `${USER}/${id}/2/1`,
    "pi_3Mtw",
    7,
  ])
    expect(await webhook(eventOf(id, "captured", { key }))).toEqual([200, "not_ours"]);
  expect(told()).toEqual([]);
  expect(logged.filter(([event]) => event === "webhook without effect").length).toBe(9);
  expect(t.gateway.report().webhooks).toMatchObject({ unknown_kind: 3, not_ours: 6, taken: 0 });
});

test.each([
  ["another amount", "amount", { amount: 1 }],
  ["an amount as text", "amount", { amount: "4900" }],
  ["no amount", "amount", { amount: undefined }],
  ["another currency", "currency", { currency: "USD" }],
  ["no currency", "currency", { currency: undefined }],
  ["a status that is not text", "status", { status: 7 }],
])("an event with %s has no effect, is logged and counted", async (_, field, more) => {
  await start();
  const id = await charging();
  for (const kind of ["captured", "declined", "refunded", "disputed"])
    expect(await webhook(eventOf(id, kind, more))).toEqual([422, "out_of_range", field]);
  expect(told()).toEqual([]);
  expect(logged.filter(([event]) => event === "webhook contradicts the ledger").length).toBe(4);
  expect(t.gateway.report().webhooks.misfit).toBe(4);
});

test("a signed body that is not JSON, or too long, is refused", async () => {
  await start();
  expect(await webhook("not json")).toEqual([400, "malformed"]);
  expect(await webhook("[]")).toEqual([422, "out_of_range"]);
  expect(await webhook(JSON.stringify({ filler: "x".repeat(20_000) }))).toEqual([413, "too_large"]);
});

test("a provider's refund or dispute of a paid order is sent to its shard", async () => {
  await start();
  const id = await charging();
  await record([], "", { steps: [step("paid", id)] });
  expect(await webhook(eventOf(id, "captured"))).toEqual([200, "no_news"]);
  expect(await webhook(eventOf(id, "pending"))).toEqual([200, "no_news"]);
  expect(await webhook(eventOf(id, "declined"))).toEqual([422, "out_of_range", "status"]);
  expect(await webhook(eventOf(id, "disputed"))).toEqual([200, "taken"]);
  expect(await webhook(eventOf(id, "refunded"))).toEqual([200, "taken"]);
  expect(told().map((row) => row.at(-2))).toEqual(["disputed", "returned"]);
});

test("a refund that Sluice requested is the answer to its request", async () => {
  await start();
  const id = await charging();
  await record([], "", { steps: [step("paid", id)] });
  await record([], "", { steps: [step("refund", id)] });
  expect(await webhook(eventOf(id, "refunded"))).toEqual([200, "taken"]);
  expect(told()).toEqual([[USER, id, 1, 1, "refunded", "webhook"]]);
});

test("a refund that overtakes its capture is sent after it", async () => {
  await start();
  const id = await charging();
  expect(await webhook(eventOf(id, "refunded"))).toEqual([200, "taken"]);
  expect(told().map((row) => row.at(-2))).toEqual(["captured", "returned"]);
});

test("without a secret there are no webhooks", async () => {
  await start();
  const bare = await startTestGateway();
  const response = await post(`${bare.gateway.url}/v1/payments/webhook`, "{}");
  expect(response.status).toBe(404);
  await bare.close();
});
