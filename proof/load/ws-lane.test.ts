import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import { testDir } from "../../test/services.ts";
import { type HistoryLine, HistoryWriter, type OrderCall, readHistory } from "../history.ts";
import { makePlan } from "./plan.ts";
import { WsLane } from "./ws-lane.ts";

interface Frame {
  readonly type: string;
  readonly ref: string;
  readonly order?: { readonly id: string };
}
type Answer = (
  frame: Frame,
  seen: number,
  socket: Bun.ServerWebSocket<undefined>,
) => string | undefined;

const CREDIT = 5;
const servers: Bun.Server<undefined>[] = [];
afterAll(() => Promise.all(servers.map((server) => server.stop(true))));

/** A misbehaving server for testing the client. */
function farEnd(answer: Answer): { url: string; most: () => number } {
  let [open, most, seen] = [0, 0, 0];
  const server = Bun.serve<undefined>({
    port: 0,
    fetch: (request, self) =>
      self.upgrade(request) ? undefined : new Response("no", { status: 400 }),
    websocket: {
      open: (ws) => {
        open = 0;
        ws.send(JSON.stringify({ type: "ready", user: "s", credit: CREDIT }));
      },
      message: (ws, text) => {
        most = Math.max(most, ++open);
        const frame = JSON.parse(String(text)) as Frame;
        const reply = answer(frame, ++seen, ws);
        if (reply === undefined) return;
        setTimeout(() => {
          open--;
          ws.send(reply);
        });
      },
    },
  });
  servers.push(server);
  return { url: `http://127.0.0.1:${server.port}`, most: () => most };
}

const ack = ({ ref, order }: Frame) =>
  JSON.stringify({ type: "acks", acks: [[ref, order?.id ?? null]], credit: CREDIT });
const nack = ({ ref }: Frame, status: number, code: string) =>
  JSON.stringify({ type: "nacks", nacks: [[ref, null, { status, code }]], credit: CREDIT });

async function runLane(answer: Answer) {
  const { url, most } = farEnd(answer);
  const plan = makePlan({ orders: 40, seed: 1, nowMs: Date.now(), users: 10 });
  const path = join(testDir("lane"), "h.jsonl");
  const history = new HistoryWriter(path);
  const tally = {
    sent: 0,
    settled: 0,
    accepted: 0,
    total: plan.steps.length,
    answers: new Map<string, number>(),
  };
  const target = { url, region: "eu" };
  const lane = new WsLane({
    name: "l",
    target,
    saleId: "rush",
    steps: plan.steps,
    history,
    tally,
    authorization: "Bearer x",
  });
  await lane.run();
  lane.close();
  await history.close();
  const lines: HistoryLine[] = [];
  for await (const part of readHistory(path)) lines.push(...part);
  return {
    plan,
    tally,
    most: most(),
    calls: lines.filter((line): line is OrderCall => line.op === "order"),
  };
}

test("every step is answered, and in-flight orders never exceed the credit", async () => {
  const { plan, tally, most } = await runLane(ack);
  expect(tally).toMatchObject({
    settled: plan.steps.length,
    sent: plan.steps.length,
    accepted: 40,
  });
  expect(most).toBe(CREDIT);
});

test("an order unanswered when the socket is lost is unknown and resent under its id", async () => {
  const { tally, calls } = await runLane((frame, seen, socket) => {
    if (seen !== 12) return ack(frame);
    socket.terminate();
    return undefined;
  });
  expect(tally.accepted).toBe(40);
  const unknown = calls.filter((call) => call.result === "info");
  expect(unknown.length).toBeGreaterThan(0);
  for (const { id } of unknown)
    expect(calls.some((call) => call.id === id && call.result === "ok" && call.send > 1)).toBe(
      true,
    );
});

test("a shed order is sent again; an invalid one is not", async () => {
  const { tally, calls } = await runLane((frame, seen) => {
    if (seen === 3) return nack(frame, 503, "shed");
    if (seen === 4) return nack(frame, 503, "unconfirmed");
    if (seen === 5) return nack(frame, 422, "unknown_item");
    return ack(frame);
  });
  expect(Object.fromEntries(tally.answers)).toMatchObject({
    "503 shed": 1,
    "503 unconfirmed": 1,
    "422 unknown_item": 1,
  });
  const results = calls.filter((call) => call.status !== 202).map((call) => call.result);
  expect(results.sort()).toEqual(["fail", "fail", "info"]);
  expect(tally.settled).toBe(tally.total);
});
