// The AsyncAPI description against what it describes. Besides, every frame that a test's socket
// receives from a gateway is checked against it (gateway/testing.ts).
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { stringify } from "yaml";
import { messageText } from "../../core/domain/message.ts";
import type { Part } from "../../core/domain/part.ts";
import type { Push } from "../../core/domain/push.ts";
import { partRow } from "../../core/domain/row.ts";
import { order, startTestGateway, type TestGateway, TestSocket } from "../testing.ts";
import { ASYNCAPI } from "./asyncapi.ts";
import { CLIENT_FRAMES } from "./asyncapi-frames.ts";
import { MEMBERS } from "./frame-format.ts";
import { frameMisfit, messageMisfit } from "./test-asyncapi.ts";

const FILE = `${import.meta.dir}/../../docs/asyncapi.yaml`;
const ID = Bun.randomUUIDv7();

let t: TestGateway;
beforeAll(async () => {
  t = await startTestGateway();
});
afterAll(() => t.close());

test("docs/asyncapi.yaml is this description, and the gateway serves it", async () => {
  // Written out again with SLUICE_WRITE_OPENAPI=1.
  const text = stringify(JSON.parse(JSON.stringify(ASYNCAPI)), {
    aliasDuplicateObjects: false,
    lineWidth: 100,
  });
  if (process.env.SLUICE_WRITE_OPENAPI === "1") await Bun.write(FILE, text);
  expect(readFileSync(FILE, "utf8")).toBe(text);
  const served = await fetch(`${t.gateway.url}/asyncapi.json`);
  expect(await served.json()).toEqual(JSON.parse(JSON.stringify(ASYNCAPI)));
});

test("it has the frames that clients may send, with the members that are read", () => {
  const described = Object.entries(CLIENT_FRAMES).map(([type, [members]]) => [
    type,
    ["type", ...Object.keys(members)].toSorted(),
  ]);
  const read = Object.entries(MEMBERS).map(([type, members]) => [type, [...members].toSorted()]);
  expect(Object.fromEntries(described)).toEqual(Object.fromEntries(read));
});

/** Frames whose mistakes are answered with their ref. */
const NACKED = new Set(["order", "skip", "cancel"]);
const GOOD: Record<string, Record<string, unknown>> = {
  order: { ref: "1", order: order() },
  orders: { ref: "1", orders: [order()] },
  skip: { ref: "1", saleId: "spring", seq: 3 },
  cancel: { ref: "1", id: ID },
  subscribe: { saleId: "spring" },
  follow: { orders: [{ id: ID, after: -1 }] },
  unfollow: { orders: [{ id: ID }] },
};

test.each(Object.entries(GOOD))(
  "a frame %s without a required member is refused",
  async (type, good) => {
    const socket = await TestSocket.open(t.gateway.url, `by-${type}`);
    const whole = { type, ...good };
    expect(frameMisfit("client", whole)).toBeUndefined();
    const required = CLIENT_FRAMES[type]?.[1] ?? [];
    for (const member of required) {
      const { [member]: _, ...rest } = whole as Record<string, unknown>;
      expect(frameMisfit("client", rest)).toBeDefined();
      socket.send(rest);
      await socket.next(NACKED.has(type) && member !== "ref" ? "nacks" : "error");
    }
  },
);

test("a frame that is not described is found", () => {
  expect(frameMisfit("server", { type: "pong" })).toBeUndefined();
  for (const wrong of [
    { type: "news" },
    { type: "pong", more: 1 },
    { type: "acks", acks: [["1"]], credit: 1 },
    { type: "outcomes", outcomes: [[ID, "reserved", "perhaps"]] },
    { type: "error", problem: { code: "shed" } },
  ])
    expect(frameMisfit("server", wrong)).toBeDefined();
});

const PART: Part = {
  ...{ user: "ann", id: ID, saleId: "spring", generation: 1, part: 1, of: 2, shard: 3 },
  ...{ region: "eu", lines: [{ sku: "lamp", qty: 1, category: "home" }], metadata: "" },
};

test("parts, a service's reports and their answers fit", () => {
  expect(messageMisfit("Parts", [PART, { ...PART, request: 2, sinceMs: 1 }])).toBeUndefined();
  for (const word of ["claim", "done", "later"] as const) {
    const rows = [partRow(PART, word, "warehouse", Date.now()), partRow(PART, word, "w", 1)];
    expect(messageMisfit("Reports", JSON.parse(messageText(rows)))).toBeUndefined();
  }
  const push: Push = { batches: [["1", "+claimed,=done"]], released: [] };
  expect(messageMisfit("Answers", push)).toBeUndefined();
  const { shard: _, ...without } = PART;
  expect(messageMisfit("Parts", [without])).toBeDefined();
});

test("docs/fulfilment.md shows a message that fits", () => {
  const page = readFileSync(`${import.meta.dir}/../../docs/fulfilment.md`, "utf8");
  const example = /```json\n(\[\{ "user"[\s\S]*?)```/.exec(page)?.[1] ?? "";
  const parts = JSON.parse(example.replace("0192f0c1-…", ID)) as unknown;
  expect(messageMisfit("Parts", parts)).toBeUndefined();
});
