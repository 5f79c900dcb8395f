import { afterAll, expect, test } from "bun:test";
import type { ChargeRequest } from "../../core/domain/charge.ts";
import { HttpProvider } from "./provider-client.ts";

let answer: (request: Request) => Response | Promise<Response> = () => new Response();
const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => answer(request) });
afterAll(() => server.stop(true));
const provider = new HttpProvider(`http://127.0.0.1:${server.port}`, 100);
const REQUEST: ChargeRequest = {
  ...{
    kind: "charge",
    user: "ann",
    id: "01a20b92-dfe4-7013-bd3c-9575ce90fe02",
    generation: 1,
    attempt: 1,
  },
  ...{ amount: 100, currency: "EUR", payment: "card" },
};

test.each([
  [200, "captured"],
  [202, "pending"],
  [402, "declined"],
  [409, "unknown"],
  [500, "unknown"],
  [503, "away"],
  [504, "unknown"],
])("a charge answered %i is %s", async (status, kind) => {
  answer = () => new Response("{}", { status });
  expect((await provider.charge(REQUEST)).kind).toBe(kind as "captured");
});

test("429 says how long to wait, in seconds or as a date; nonsense is a second", async () => {
  const busy = async (after: string) => {
    answer = () => new Response("", { status: 429, headers: { "retry-after": after } });
    return provider.charge(REQUEST);
  };
  expect(await busy("3")).toEqual({ kind: "busy", afterMs: 3_000 });
  expect(await busy("soon")).toEqual({ kind: "busy", afterMs: 1_000 });
  const dated = (await busy(new Date(Date.now() + 10_000).toUTCString())) as { afterMs: number };
  expect(dated.afterMs).toBeGreaterThan(8_000);
});

test("no answer in time is unknown, nobody listening is away", async () => {
  answer = () => Bun.sleep(400).then(() => new Response("{}"));
  expect(await provider.charge(REQUEST)).toEqual({ kind: "unknown", why: "no answer in time" });
  expect((await new HttpProvider("http://127.0.0.1:1", 100).charge(REQUEST)).kind).toBe("away");
});

test("a look-up says what is known, and unknown for anything that makes no sense", async () => {
  const look = async (body: string, status = 200) => {
    answer = () => new Response(body, { status });
    return provider.lookUp("key");
  };
  expect(await look('{"status":"captured"}')).toBe("captured");
  expect(await look("", 404)).toBe("none");
  expect([await look("not json"), await look('{"status":"maybe"}'), await look("", 500)]).toEqual([
    "unknown",
    "unknown",
    "unknown",
  ]);
});

test("a refund is done, has nothing to give back, or is unknown", async () => {
  const refund = async (status: number) => {
    answer = () => new Response("{}", { status });
    return provider.refund({ ...REQUEST, kind: "refund" });
  };
  expect([await refund(200), await refund(404), await refund(409), await refund(500)]).toEqual([
    "refunded",
    "nothing",
    "nothing",
    "unknown",
  ]);
});

test("the trace of the order's request goes with charge and refund, and nothing where there is none", async () => {
  const heard: (string | null)[] = [];
  answer = (request) => {
    heard.push(request.headers.get("traceparent"));
    return new Response("{}");
  };
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await provider.charge({ ...REQUEST, traceparent });
  await provider.refund({ ...REQUEST, kind: "refund", traceparent });
  await provider.charge(REQUEST);
  expect(heard).toEqual([traceparent, traceparent, null]);
});
