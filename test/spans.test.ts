// Spans of a recorded trace, as received by a collector: gateway, worker, payment worker and
// service each send their own.
import { afterEach, expect, test } from "bun:test";
import { orderRow } from "../core/domain/row.ts";
import { Spans } from "../core/metrics/spans.ts";
import { bearer, order, post, startTestGateway } from "../gateway/testing.ts";
import { makeOrder, Stack, userOf } from "./stack.ts";

const TIMEOUT_MS = 60_000;
const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const SAMPLED = `00-${TRACE_ID}-${PARENT}-01`;
const UNSAMPLED = `00-${TRACE_ID}-${PARENT}-00`;

interface Span {
  readonly service: string;
  readonly name: string;
  readonly traceId: string;
  readonly parentSpanId: string;
  readonly ms: number;
  readonly failed: string | undefined;
  readonly attributes: Record<string, string | number>;
}

/** The JSON of OTLP over HTTP. */
interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: number };
}
interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly {
        readonly name: string;
        readonly traceId: string;
        readonly parentSpanId: string;
        readonly startTimeUnixNano: string;
        readonly endTimeUnixNano: string;
        readonly status: { readonly message?: string };
        readonly attributes: readonly Attribute[];
      }[];
    }[];
  }[];
}

const attributesOf = (list: readonly Attribute[]) =>
  Object.fromEntries(
    list.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]),
  );

function spansOf({ resourceSpans }: Export): Span[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((s) => ({
        service: String(attributesOf(resource.attributes)["service.name"]),
        name: s.name,
        traceId: s.traceId,
        parentSpanId: s.parentSpanId,
        ms: Number((BigInt(s.endTimeUnixNano) - BigInt(s.startTimeUnixNano)) / 1_000_000n),
        failed: s.status.message,
        attributes: attributesOf(s.attributes),
      })),
    ),
  );
}

class Collector {
  readonly spans: Span[] = [];
  readonly server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      if (new URL(request.url).pathname === "/v1/traces")
        this.spans.push(...spansOf((await request.json()) as Export));
      return Response.json({});
    },
  });
  readonly url = `http://127.0.0.1:${this.server.port}`;
}

const after: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of after.splice(0).reverse()) await end();
}, TIMEOUT_MS);

function collector(): Collector {
  const made = new Collector();
  after.push(() => made.server.stop(true));
  return made;
}

test(
  "a recorded trace has spans of deciding, charging and fulfilment; an unrecorded one has none",
  async () => {
    const { url, spans } = collector();
    const stack = await Stack.start({ env: { SLUICE_OTLP_URL: url } });
    after.push(() => stack.stop());
    await stack.sale({ a: 100 });
    await stack.worker("w1");
    await stack.payments();
    await stack.route("c", "depot");
    await stack.fulfil("depot");
    const place = async (traceparent?: string) => {
      const { order: made } = makeOrder(userOf(0), { a: 1 });
      await stack.publish(0, [orderRow(made, Date.now(), traceparent)]);
      return made;
    };
    const [, , made] = [await place(), await place(UNSAMPLED), await place(SAMPLED)];
    await stack.becomes(made.user, made.id, "dispatched");
    await stack.until("the spans", () => spans.length >= 3);
    await Bun.sleep(1_500);
    expect(spans.map((s) => [s.service, s.name, s.attributes["sluice.outcome"]]).sort()).toEqual([
      ["sluice-fulfil", "fulfil", undefined],
      ["sluice-payments", "charge", "captured"],
      ["sluice-worker", "decide", "reserved"],
    ]);
    for (const span of spans) {
      expect(span).toMatchObject({
        traceId: TRACE_ID,
        parentSpanId: PARENT,
        attributes: { "sluice.order": made.id, "sluice.user": made.user },
      });
      expect(span.ms).toBeLessThan(30_000);
    }
  },
  TIMEOUT_MS,
);

test("a gateway's span lasts until the broker's answer, and says if there was none", async () => {
  const { url, spans: heard } = collector();
  const spans = new Spans(`${url}/`, "gateway", "g");
  const t = await startTestGateway({ spans });
  after.push(() => t.close());
  const send = async (traceparent: string) =>
    post(`${t.gateway.url}/v1/orders`, order(), { ...(await bearer("ann")), traceparent });
  t.broker.answer = undefined;
  const answered = send(SAMPLED);
  const batch = await t.broker.batch(0);
  await Bun.sleep(120);
  batch.settle("confirmed");
  expect((await answered).status).toBe(202);
  t.broker.answer = "unknown";
  expect((await send(SAMPLED)).status).toBe(503);
  expect((await send(UNSAMPLED)).status).toBe(503);
  await spans.close();
  expect(heard.map((s) => [s.service, s.name, s.failed, s.parentSpanId])).toEqual([
    ["sluice-gateway", "accept", undefined, PARENT],
    ["sluice-gateway", "accept", "unknown", PARENT],
  ]);
  expect(heard[0]?.ms).toBeGreaterThanOrEqual(100);
});

test("an unreachable collector affects nothing", async () => {
  const spans = new Spans("http://127.0.0.1:1", "gateway", "g");
  for (let i = 0; i < 5_000; i++)
    spans.record({
      name: "accept",
      traceparent: SAMPLED,
      startMs: Date.now(),
      endMs: Date.now(),
      attributes: {},
    });
  const startedMs = performance.now();
  await spans.close();
  expect(performance.now() - startedMs).toBeLessThan(10_000);
}, 20_000);
