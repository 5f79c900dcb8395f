import { expect, test } from "bun:test";
import { judgeOrderId } from "../../core/domain/order-id.ts";
import { FloodSocket } from "./flood-socket.ts";
import { bodies, frameTemplate } from "./orders.ts";

const CREDIT = 100;
const TOTAL = 5_000;

test("the flood sends valid orders with distinct ids and counts as the server does", async () => {
  const ids = new Set<string>();
  const users = new Set<string>();
  const done = Promise.withResolvers<void>();
  let wrong = 0;
  const server = Bun.serve<undefined>({
    port: 0,
    fetch: (request, self) =>
      self.upgrade(request) ? undefined : new Response("no", { status: 400 }),
    websocket: {
      open: (ws) => void ws.send(JSON.stringify({ type: "ready", user: "s", credit: CREDIT })),
      message: (ws, text) => {
        const { ref, order } = JSON.parse(String(text)) as {
          ref: string;
          order: { id: string; user: string; lines: unknown[] };
        };
        if (judgeOrderId(order.id, Date.now()) !== "ok" || order.lines.length === 0) wrong++;
        ids.add(order.id);
        users.add(order.user);
        if (ids.size % 10 === 0)
          ws.send(
            JSON.stringify({
              type: "nacks",
              nacks: [[ref, order.id, { code: "shed" }]],
              credit: CREDIT,
            }),
          );
        else ws.send(JSON.stringify({ type: "acks", acks: [[ref, order.id]], credit: CREDIT }));
        ws.send(JSON.stringify({ type: "outcomes", outcomes: [[order.id, "sold_out"]] }));
        if (ids.size === TOTAL) done.resolve();
      },
    },
  });
  const counts = { sent: 0, accepted: 0, decided: 0, refused: new Map<string, number>() };
  const options = {
    url: new URL(server.url),
    token: "x",
    index: 1,
    templates: bodies(false).map((body) => frameTemplate(body)),
    counts,
  };
  const socket = new FloodSocket({ ...options, may: () => counts.sent < TOTAL });
  await socket.connect();
  await done.promise;
  while (counts.decided < counts.sent) await Bun.sleep(5);
  expect({ wrong, ids: ids.size }).toEqual({ wrong: 0, ids: counts.sent });
  expect(users.size).toBeGreaterThan(3_000);
  expect(counts.accepted + (counts.refused.get("shed") ?? 0)).toBe(counts.sent);
  expect(counts.decided).toBe(counts.sent);
  socket.close();
  await server.stop(true);
});
