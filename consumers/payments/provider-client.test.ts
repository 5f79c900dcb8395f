import { afterAll, expect, test } from "bun:test";
import type { ChargeRequest, RefundRequest } from "../../core/domain/charge.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { HttpProvider } from "./provider-client.ts";

let answer: (request: Request) => Response | Promise<Response> = () => new Response();
const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => answer(request) });
afterAll(() => server.stop(true));
const url = `http://127.0.0.1:${server.port}`;
const provider = new HttpProvider(realRuntime, url, 20_000);
/** For calls that are never answered. */
const hasty = new HttpProvider(realRuntime, url, 300);

const ATTEMPT = {
  user: "ann",
  id: "01a20b92-dfe4-7013-bd3c-9575ce90fe02",
  generation: 1,
  attempt: 1,
} as const;
const CHARGE: ChargeRequest = {
  ...ATTEMPT,
  kind: "charge",
  amount: 100,
  currency: "EUR",
  payment: "card",
};
const REFUND: RefundRequest = { ...ATTEMPT, kind: "refund", amount: 100, currency: "EUR" };
const KEY = "ann/01a20b92-dfe4-7013-bd3c-9575ce90fe02/1/1";
const SOUND = { key: KEY, amount: 100, currency: "EUR" };
const json = (status: number, body: unknown) => () => Response.json(body, { status });
/** Misfits for any question, where possible: another charge's answer, another amount, no amount. */
const MISFITS: [string, (status: number, sound: object) => () => Response][] = [
  ["another key", (status, sound) => json(status, { ...sound, key: KEY.replace("/1/1", "/1/2") })],
  ["no key", (status, sound) => json(status, { ...sound, key: undefined })],
  ["another amount", (status, sound) => json(status, { ...sound, amount: 50 })],
  ["the amount as text", (status, sound) => json(status, { ...sound, amount: "100" })],
  ["no amount", (status, sound) => json(status, { ...sound, amount: undefined })],
  ["another currency", (status, sound) => json(status, { ...sound, currency: "USD" })],
  ["another status", (status, sound) => json(status, { ...sound, status: "authorized" })],
  ["no status", (status, sound) => json(status, { ...sound, status: undefined })],
  ["a list", (status, sound) => json(status, [sound])],
  ["an HTML page", (status) => () => html("<html>Down for maintenance</html>", status)],
  ["JSON labelled as HTML", (status, sound) => () => html(JSON.stringify(sound), status)],
  ["half of it", (status, sound) => () => text(JSON.stringify(sound).slice(0, -9), status)],
  ["nothing", (status) => () => text("", status)],
];
const html = (body: string, status: number) =>
  new Response(body, { status, headers: { "content-type": "text/html" } });
const text = (body: string, status: number) =>
  new Response(body, { status, headers: { "content-type": "application/json" } });

test.each([
  [200, "captured", "captured"],
  [202, "pending", "pending"],
  [400, "declined", "declined"],
  [402, "declined", "declined"],
  [422, "declined", "declined"],
  [200, "declined", "unknown"],
  [202, "captured", "unknown"],
  [402, "captured", "unknown"],
  [401, "declined", "unknown"],
  [403, "declined", "unknown"],
  [404, "none", "unknown"],
  [409, "captured", "unknown"],
  [500, "captured", "unknown"],
  [503, "captured", "away"],
  [504, "captured", "unknown"],
])("a charge answered %i %s is %s", async (status, word, kind) => {
  answer = json(status, { ...SOUND, status: word, reason: "because" });
  expect((await provider.charge(CHARGE)).kind).toBe(kind as "captured");
});

test.each(MISFITS)("a charge answered 200 with %s is unknown", async (_, misfit) => {
  answer = misfit(200, { ...SOUND, status: "captured" });
  expect((await provider.charge(CHARGE)).kind).toBe("unknown");
});

test.each([400, 402, 422])(
  "a charge answered %i without the provider's own word is unknown",
  async (status) => {
    for (const body of [
      {},
      { error: "bad request" },
      { status: "declined" },
      { status: "declined", key: "other" },
      { status: "declined", key: KEY, amount: 1 },
    ]) {
      answer = json(status, body);
      expect((await provider.charge(CHARGE)).kind).toBe("unknown");
    }
    answer = json(status, { status: "declined", key: KEY, reason: "expired\u0000card" });
    expect(await provider.charge(CHARGE)).toEqual({ kind: "declined", reason: "expired card" });
  },
);

test.each([301, 302, 303, 307, 308])(
  "a redirect (%i) is not followed, and unknown",
  async (status) => {
    const asked: string[] = [];
    answer = (request) => {
      const { pathname } = new URL(request.url);
      asked.push(pathname);
      return pathname === "/elsewhere"
        ? Response.json({ ...SOUND, status: "captured" })
        : new Response("", { status, headers: { location: "/elsewhere" } });
    };
    expect(await provider.charge(CHARGE)).toMatchObject({ kind: "unknown" });
    expect(await provider.refund(REFUND)).toMatchObject({ kind: "unknown" });
    expect(await provider.lookUp(CHARGE)).toMatchObject({ kind: "unknown" });
    expect(asked).not.toContain("/elsewhere");
  },
);

test("an endless answer is cut off at its bound, and unknown", async () => {
  const { promise: cutOff, resolve } = Promise.withResolvers<void>();
  let sent = 0;
  answer = () => {
    const body = new ReadableStream({
      async pull(controller) {
        sent++;
        await Bun.sleep(0);
        controller.enqueue(new Uint8Array(16_384).fill(0x20));
      },
      cancel: () => resolve(),
    });
    return new Response(body, { headers: { "content-type": "application/json" } });
  };
  expect(await provider.charge(CHARGE)).toMatchObject({ kind: "unknown" });
  await cutOff;
  // What was sent by then is still in the sockets' buffers.
  expect(sent * 16_384).toBeLessThan(64 * 1_024 * 1_024);
});

test("a compressed answer is not decompressed", async () => {
  const packed = Bun.gzipSync(JSON.stringify({ ...SOUND, status: "captured" }));
  answer = () =>
    new Response(packed, {
      headers: { "content-type": "application/json", "content-encoding": "gzip" },
    });
  expect((await provider.charge(CHARGE)).kind).toBe("unknown");
});

test("429 says how long to wait, in seconds or as a date; nonsense means one second", async () => {
  const busy = async (after: string) => {
    answer = () => new Response("", { status: 429, headers: { "retry-after": after } });
    return provider.charge(CHARGE);
  };
  expect(await busy("3")).toEqual({ kind: "busy", afterMs: 3_000 });
  expect(await busy("soon")).toEqual({ kind: "busy", afterMs: 1_000 });
  expect(await busy("99999999")).toEqual({ kind: "busy", afterMs: 60_000 });
  const dated = (await busy(new Date(Date.now() + 30_000).toUTCString())) as { afterMs: number };
  expect(dated.afterMs).toBeGreaterThan(1_000);
});

test("no answer in time is unknown, whether its head or its body is late", async () => {
  const late = { kind: "unknown", why: "no answer in time" } as const;
  const { promise: over, resolve } = Promise.withResolvers<void>();
  answer = () => over.then(() => new Response("{}"));
  expect(await hasty.charge(CHARGE)).toEqual(late);
  answer = () =>
    new Response(
      new ReadableStream({
        start: (controller) => controller.enqueue(new TextEncoder().encode("{")),
        pull: () => over,
      }),
      { headers: { "content-type": "application/json" } },
    );
  expect(await hasty.charge(CHARGE)).toEqual(late);
  resolve();
});

test("a provider that does not listen is away", async () => {
  expect(
    (await new HttpProvider(realRuntime, "http://127.0.0.1:1", 20_000).charge(CHARGE)).kind,
  ).toBe("away");
});

test("a look-up is believed if it is about this charge", async () => {
  const look = async (status: number, body: object) => {
    answer = json(status, body);
    return provider.lookUp(CHARGE);
  };
  const captured = { ...SOUND, status: "captured" };
  expect(await look(200, captured)).toEqual({ kind: "captured", now: "kept" });
  expect(await look(200, { ...captured, refunded: false, disputed: true })).toEqual({
    kind: "captured",
    now: "disputed",
  });
  expect(await look(200, { ...captured, refunded: true })).toEqual({
    kind: "captured",
    now: "refunded",
  });
  expect(await look(200, { ...SOUND, status: "declined", reason: "empty" })).toEqual({
    kind: "declined",
    reason: "empty",
  });
  expect(await look(200, { ...SOUND, status: "pending" })).toEqual({ kind: "pending" });
  expect(await look(404, { key: KEY, status: "none" })).toEqual({ kind: "none" });
});

test.each(MISFITS)("a look-up answered with %s is unknown", async (_, misfit) => {
  answer = misfit(200, { ...SOUND, status: "captured" });
  expect((await provider.lookUp(CHARGE)).kind).toBe("unknown");
});

test("only the provider's own 404 means that it has never seen the key", async () => {
  for (const misfit of [
    json(404, {}),
    json(404, { status: "none" }),
    json(404, { status: "none", key: "other" }),
    () => html("<h1>Not Found</h1>", 404),
    () => new Response("", { status: 404 }),
  ]) {
    answer = misfit;
    expect((await provider.lookUp(CHARGE)).kind).toBe("unknown");
    expect((await provider.lookUpRefund(REFUND)).kind).toBe("unknown");
    expect((await provider.refund(REFUND)).kind).toBe("unknown");
  }
});

test.each([
  [200, "refunded", "refunded"],
  [202, "pending", "pending"],
  [400, "refused", "refused"],
  [402, "refused", "refused"],
  [422, "refused", "refused"],
  [400, "declined", "unknown"],
  [401, "refused", "unknown"],
  [409, "refunded", "unknown"],
  [409, "refused", "unknown"],
  [500, "refunded", "unknown"],
  [503, "refunded", "away"],
])("a refund answered %i %s is %s", async (status, word, kind) => {
  answer = json(status, { ...SOUND, status: word, reason: "window closed" });
  expect((await provider.refund(REFUND)).kind).toBe(kind as "refunded");
});

test.each(MISFITS)("a refund answered 200 with %s is unknown", async (_, misfit) => {
  answer = misfit(200, { ...SOUND, status: "refunded" });
  expect((await provider.refund(REFUND)).kind).toBe("unknown");
  expect((await provider.lookUpRefund(REFUND)).kind).toBe("unknown");
});

test("a refund of a charge that cannot be found is refused, not done", async () => {
  answer = json(404, { key: KEY, status: "none" });
  expect((await provider.refund(REFUND)).kind).toBe("refused");
  answer = ({ method }) =>
    method === "POST"
      ? Response.json({ key: KEY, status: "none" }, { status: 404 })
      : Response.json({ ...SOUND, status: "captured" });
  expect((await provider.refund(REFUND)).kind).toBe("unknown");
});

test("a refund is looked up by its charge's key", async () => {
  const look = async (status: number, body: object) => {
    answer = json(status, body);
    return (await provider.lookUpRefund(REFUND)).kind;
  };
  expect(await look(200, { ...SOUND, status: "refunded" })).toBe("refunded");
  expect(await look(200, { ...SOUND, status: "pending" })).toBe("pending");
  expect(await look(200, { ...SOUND, status: "refused" })).toBe("refused");
  expect(await look(404, { key: KEY, status: "none" })).toBe("none");
});

test("a refund request without an amount looks the charge up and refunds its amount", async () => {
  const { amount: _, currency: __, ...nameless } = REFUND;
  const bodies: unknown[] = [];
  answer = async (request) => {
    if (request.method === "GET") return Response.json({ ...SOUND, status: "captured" });
    bodies.push(await request.json());
    return Response.json({ ...SOUND, status: "refunded" });
  };
  expect(await provider.refund(nameless)).toEqual({ kind: "refunded" });
  expect(bodies).toEqual([SOUND]);
  answer = ({ method }) =>
    method === "GET"
      ? new Response("<html>", { headers: { "content-type": "text/html" } })
      : Response.json({ ...SOUND, status: "refunded" });
  expect((await provider.refund(nameless)).kind).toBe("unknown");
});

test("the trace of the order's request is passed on; without one, nothing is sent", async () => {
  const heard: (string | null)[] = [];
  answer = (request) => {
    heard.push(request.headers.get("traceparent"));
    return new Response("{}");
  };
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await provider.charge({ ...CHARGE, traceparent });
  await provider.refund({ ...REFUND, traceparent });
  await provider.charge(CHARGE);
  expect(heard).toEqual([traceparent, traceparent, null]);
});
