// Latency of an order in an idle system: to its 202 over HTTP, and to its ack and outcome over a
// WebSocket.

import { prng, uuidV7 } from "../../core/runtime/prng.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { mintToken, type TokenIssuer } from "../../proof/load/tokens.ts";
import { bodies } from "./orders.ts";

export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
}
export interface IdleResult {
  readonly orders: number;
  readonly http202: Latency;
  readonly ack: Latency;
  readonly decided: Latency;
}

const ORDERS = 500;
const PAUSE_MS = 10;
const WARM_UP = 50;

export async function benchIdle(url: string, issuer: TokenIssuer): Promise<IdleResult> {
  const token = await mintToken(issuer, "idle", "service");
  const [body = ""] = bodies(true);
  const random = prng(realRuntime.wallMs());
  // Each order comes from another user, because a single one would soon empty their bucket.
  let users = 0;
  const order = () =>
    `{"id":"${uuidV7(realRuntime.wallMs(), random)}","user":"idle-${users++}",${body}`;
  const http: number[] = [];
  const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
  for (let i = 0; i < ORDERS + WARM_UP; i++) {
    const before = realRuntime.monotonicMs();
    const response = await fetch(`${url}/v1/orders`, { method: "POST", headers, body: order() });
    await response.text();
    if (response.status !== 202) throw new Error(`the idle system answered ${response.status}`);
    if (i >= WARM_UP) http.push(realRuntime.monotonicMs() - before);
    await realRuntime.sleep(PAUSE_MS);
  }
  const { ack, decided } = await overSocket(url, token, order);
  return { orders: ORDERS, http202: latency(http), ack: latency(ack), decided: latency(decided) };
}

async function overSocket(
  url: string,
  token: string,
  order: () => string,
): Promise<{ ack: number[]; decided: number[] }> {
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/v1/ws`, {
    headers: { authorization: `Bearer ${token}` },
  } as never);
  const result = { ack: [] as number[], decided: [] as number[] };
  const done = Promise.withResolvers<void>();
  let before = 0;
  let left = ORDERS + WARM_UP;
  const send = () => {
    before = realRuntime.monotonicMs();
    socket.send(`{"type":"order","ref":"0","order":${order()}}`);
  };
  socket.onclose = () => done.reject(new Error("the socket was closed"));
  socket.onmessage = ({ data }) => {
    const { type } = JSON.parse(String(data)) as { type: string };
    const passed = realRuntime.monotonicMs() - before;
    if (type === "ready") send();
    else if (type === "acks") result.ack.push(passed);
    else if (type === "outcomes") {
      result.decided.push(passed);
      if (--left === 0) done.resolve();
      else realRuntime.startTimer(send, PAUSE_MS);
    } else done.reject(new Error(String(data)));
  };
  await done.promise;
  socket.onclose = null;
  socket.close();
  return { ack: result.ack.slice(WARM_UP), decided: result.decided.slice(WARM_UP) };
}

function latency(samples: number[]): Latency {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}
