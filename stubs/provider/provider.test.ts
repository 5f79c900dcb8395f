import { afterEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { HttpProvider } from "../../consumers/payments/provider-client.ts";
import { type ChargeRequest, chargeKey, type RefundRequest } from "../../core/domain/charge.ts";
import { checkWebhook, webhookKey } from "../../core/domain/webhook-signature.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { freePort } from "../../services/ports.ts";
import { outputOf } from "../../test/output-of.ts";
import { testDir } from "../../test/services.ts";
import { BEHAVIOURS, coin, type Misbehaviour, parseShares } from "./behaviour.ts";
import type { Charge } from "./book.ts";
import { type ProviderOptions, startProvider } from "./server.ts";

const ROOT = join(import.meta.dir, "../..");
const SEED = 7;
const PATIENCE_MS = 2_000;
const TIMEOUT_MS = 60_000;
const closing: { stop(): unknown }[] = [];
afterEach(async () => {
  for (const one of closing.splice(0)) await one.stop();
});

async function start(options: Partial<ProviderOptions> = {}) {
  const file = `${testDir("stub")}/provider.jsonl`;
  const delays = { hangMs: 10_000, slowMs: 10, pendingMs: 50, lateCaptureMs: 50, afterwardsMs: 10 };
  const stub = await startProvider({
    runtime: realRuntime,
    file,
    port: 0,
    shares: {},
    seed: SEED,
    webhookSecrets: ["s"],
    ...options,
    delays: { ...delays, ...options.delays },
  });
  closing.push(stub);
  return { stub, file, client: new HttpProvider(realRuntime, stub.url, PATIENCE_MS) };
}

/** A charge whose coin falls on the given side. */
function chargeOf(behaviour: Misbehaviour, heads = true): ChargeRequest & { key: string } {
  for (;;) {
    const request = {
      kind: "charge",
      user: "ann",
      id: Bun.randomUUIDv7(),
      generation: 1,
      attempt: 1,
      amount: 101,
      currency: "EUR",
      payment: `stub:${behaviour}`,
    } as const;
    const key = chargeKey(request);
    if (coin(key, SEED) === heads) return { ...request, key };
  }
}

const refundOf = ({ kind: _, ...rest }: ChargeRequest): RefundRequest => ({
  ...rest,
  kind: "refund",
});

/** Asks until the answer is definite, as a payment worker does. */
async function settled(client: HttpProvider, request: ChargeRequest) {
  for (;;) {
    const answer = await client.charge(request);
    if (answer.kind === "captured" || answer.kind === "declined") return answer.kind;
    await Bun.sleep(5);
  }
}

/** Behaviours whose answers look definite but are not. */
const MISLEADING = [
  "html200",
  "redirect",
  "wrong_key",
  "wrong_amount",
  "declined200",
  "huge_answer",
] as const;

for (const heads of [true, false])
  test.each(MISLEADING)(
    `%s, ${heads ? "charged anyway" : "not charged"}: unknown, then settled by asking again`,
    async (behaviour) => {
      const { stub, client } = await start();
      const request = chargeOf(behaviour, heads);
      expect((await client.charge(request)).kind).toBe("unknown");
      const made = stub.book.charges.get(request.key)?.status;
      const definite = behaviour === "declined200" ? "declined" : "captured";
      expect(made).toBe(heads ? definite : undefined);
      const { kind } = await client.lookUp(request);
      expect(kind === "none" ? undefined : kind).toBe(made);
      expect<string>(await settled(client, request)).toBe(made ?? "captured");
      expect(stub.ledAstray).toBe(0);
    },
    TIMEOUT_MS,
  );

test.each(BEHAVIOURS)(
  "%s: the client ends up with what the record has",
  async (behaviour) => {
    // What the provider does on its own afterwards comes after this test.
    const { stub, client } = await start({ delays: { afterwardsMs: 60_000 } });
    const request = chargeOf(behaviour);
    const word = await settled(client, request);
    const charge = stub.book.charges.get(request.key) as Charge;
    expect(charge).toMatchObject({ status: word, amount: 101, currency: "EUR" });
    expect((await client.lookUp(request)).kind).toBe(word);
    const records = await (await fetch(`${stub.url}/v1/records`)).text();
    expect(
      records
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([{ ...charge, returned: false }]);
  },
  TIMEOUT_MS,
);

test("a permanently refused refund is looked up as refused", async () => {
  const { client } = await start();
  const request = chargeOf("refund_refused");
  await client.charge(request);
  const refund = refundOf(request);
  expect(await client.lookUpRefund(refund)).toEqual({ kind: "none" });
  for (let i = 0; i < 2; i++) expect((await client.refund(refund)).kind).toBe("refused");
  expect((await client.lookUpRefund(refund)).kind).toBe("refused");
});

test.each([
  ["refund_conflict", true, "none"],
  ["refund_error", true, "refunded"],
  ["refund_error", false, "none"],
] as const)("%s (%p) is unknown first, looked up as %s, then made", async (mood, heads, found) => {
  const { stub, client } = await start();
  const request = chargeOf(mood, heads);
  await client.charge(request);
  const refund = refundOf(request);
  expect((await client.refund(refund)).kind).toBe("unknown");
  expect((await client.lookUpRefund(refund)).kind).toBe(found);
  expect(await client.refund(refund)).toEqual({ kind: "refunded" });
  expect(stub.book.charges.get(request.key)).toMatchObject({
    refunded: true,
    refundedAmount: 101,
    refundedBy: "request",
  });
});

test("a pending refund is made later, once", async () => {
  const { client } = await start();
  const request = chargeOf("refund_pending");
  await client.charge(request);
  const refund = refundOf(request);
  expect(await client.refund(refund)).toEqual({ kind: "pending" });
  while ((await client.lookUpRefund(refund)).kind === "pending") await Bun.sleep(5);
  expect(await client.lookUpRefund(refund)).toEqual({ kind: "refunded" });
});

test("disputes and returns are recorded, looked up, and reported by signed webhooks", async () => {
  const heard = new Map<string, unknown>();
  const gateway = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const body = await request.text();
      const header = (name: string) => request.headers.get(`webhook-${name}`) ?? undefined;
      const signed = {
        id: header("id"),
        timestamp: header("timestamp"),
        signature: header("signature"),
      };
      expect(checkWebhook(signed, body, [webhookKey("s")], Date.now())).toBe("good");
      const { key, ...event } = JSON.parse(body) as { key: string };
      heard.set(key, event);
      return Response.json({ taken: true });
    },
  });
  closing.push(gateway);
  const { stub, client } = await start({ webhookUrl: gateway.url.href });
  const [disputed, returned] = [chargeOf("disputed"), chargeOf("returned")];
  await client.charge(disputed);
  await client.charge(returned);
  while (heard.size < 2) await Bun.sleep(5);
  const sum = { amount: 101, currency: "EUR" };
  expect(heard.get(disputed.key)).toEqual({ ...sum, status: "disputed" });
  expect(heard.get(returned.key)).toEqual({ ...sum, status: "refunded" });
  expect(await client.lookUp(disputed)).toEqual({ kind: "captured", now: "disputed" });
  expect(await client.lookUp(returned)).toEqual({ kind: "captured", now: "refunded" });
  expect((await client.refund(refundOf(disputed))).kind).toBe("refused");
  expect((await client.refund(refundOf(returned))).kind).toBe("refunded");
  expect(stub.book.charges.get(returned.key)?.refundedBy).toBe("provider");
});

test("a webhook that gets no answer is counted, and sent again", async () => {
  const closed = Bun.serve({ port: 0, fetch: () => new Response() });
  const { port } = closed;
  await closed.stop(true);
  const { stub, client } = await start({ webhookUrl: `http://127.0.0.1:${port}/` });
  const health = async () =>
    (await (await fetch(`${stub.url}/healthz`)).json()) as { open: number; unanswered: number };
  expect((await health()).unanswered).toBe(0);
  await client.charge(chargeOf("disputed"));
  while ((await health()).unanswered === 0) await Bun.sleep(5);
  expect((await health()).open).toBe(1);
  let heard = 0;
  const gateway = Bun.serve({
    port: port as number,
    fetch: () => {
      heard++;
      return Response.json({ taken: true });
    },
  });
  closing.push(gateway);
  while ((await health()).open > 0) await Bun.sleep(5);
  expect(heard).toBe(1);
});

test("a late capture is pending until it happens, whatever the answer was", async () => {
  for (const heads of [true, false]) {
    const { client } = await start({ delays: { lateCaptureMs: 500 } });
    const request = chargeOf("late_capture", heads);
    expect((await client.charge(request)).kind).toBe(heads ? "pending" : "unknown");
    expect((await client.lookUp(request)).kind).toBe("pending");
    while ((await client.lookUp(request)).kind === "pending") await Bun.sleep(10);
    expect((await client.lookUp(request)).kind).toBe("captured");
  }
});

test("a restart keeps the record, and pending charges still settle", async () => {
  const { stub, file, client } = await start({
    delays: { lateCaptureMs: 60_000, pendingMs: 60_000 },
  });
  const moods = ["late_capture", "refund_pending", "refund_refused", "none"] as const;
  const requests = moods.map((mood) => chargeOf(mood as Misbehaviour));
  for (const request of requests) {
    await client.charge(request);
    await client.refund(refundOf(request));
  }
  const before = [...stub.book.charges.values()];
  await stub.stop();
  const { stub: again } = await start({ file });
  expect([...again.book.charges.values()].map(({ key }) => key)).toEqual(before.map((c) => c.key));
  const [late, back] = requests.map(({ key }) => again.book.charges.get(key) as Charge);
  while (late?.status !== "captured" || back?.refund !== "refunded") await Bun.sleep(5);
});

test(
  "the contract in docs/howto/payment-provider.md can be tried as it is written",
  async () => {
    const page = readFileSync(join(ROOT, "docs/howto/payment-provider.md"), "utf8");
    const [, block = ""] = /^## Try the contract$[\s\S]*?^```sh\n([\s\S]*?)^```$/m.exec(page) ?? [];
    const port = String(await freePort());
    const script = block
      .replaceAll("./sluice ", '"$BUN" cli/cli.ts ')
      .replaceAll("8090", port)
      .replaceAll("curl -s ", "curl -s --fail-with-body -w '\\n' ");
    // A call that fails ends the stub too.
    const strict = "set -eu\ntrap 'kill $! 2>/dev/null || true' EXIT";
    const env = { ...process.env, SLUICE_DATA: testDir("contract"), BUN: process.execPath };
    const { out, err, code } = await outputOf(["bash", "-c", `${strict}\n${script}\nwait`], {
      ...{ cwd: ROOT, env },
    });
    expect({ code, out, err }).toMatchObject({ code: 0 });
    const answers = out.trim().split("\n");
    expect(answers.map((answer) => (JSON.parse(answer) as { status: string }).status)).toEqual([
      ...["captured", "captured", "refunded"],
    ]);
    await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
  },
  TIMEOUT_MS,
);

test("a key of another form is refused by the name of its form", async () => {
  const { stub } = await start();
  const charge = async (key: string, amount: number) => {
    const response = await fetch(`${stub.url}/v1/charges`, {
      method: "POST",
      headers: { "idempotency-key": key, "content-type": "application/json" },
      body: JSON.stringify({ order: "o1", amount, currency: "EUR", payment: "tok" }),
    });
    return [response.status, ((await response.json()) as { reason?: string }).reason];
  };
  const form =
    "the Idempotency-Key must be user/order/generation/attempt, where the order is a UUID";
  for (const key of ["", "ann/o1/1/1"])
    expect(await charge(key, 1)).toEqual([400, `${form}: ann/01a2…/1/1`]);
  const key = `ann/${Bun.randomUUIDv7()}/1/1`;
  expect(await charge(key, 0)).toEqual([400, "the amount must be positive"]);
  expect(await charge(key, 1)).toEqual([200, undefined]);
});

test("shares name behaviours and add up to at most one", () => {
  expect(parseShares("html200=0.5,disputed=0.5")).toEqual({ html200: 0.5, disputed: 0.5 });
  for (const text of ["html=0.1", "html200=2", "html200=0.6,redirect=0.6", "redirect"])
    expect(() => parseShares(text)).toThrow("--shares");
});
