// A provider whose kept connections fall silent, as after a network failure that closes nothing.
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import { type ChargeRequest, chargeKey } from "../../core/domain/charge.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { HttpProvider } from "./provider-client.ts";

const CONNECTIONS = 20;
const SILENT_CALLS = 3;
const sockets = new Set<Socket>();
const silent = new Set<Socket>();
let accepted = 0;
let server: Server;

const chargeOf = (id: number): ChargeRequest => ({
  ...{ kind: "charge", user: "ann", id: `order-${id}`, generation: 1, attempt: 1 },
  ...{ amount: 100, currency: "EUR", payment: "card" },
});

/** Answers a while after each request, so that requests at once need a connection each. */
function serve(socket: Socket): void {
  accepted++;
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
  socket.on("error", () => undefined);
  socket.on("data", (data) => {
    const key = /idempotency-key: (\S+)/i.exec(String(data))?.[1];
    if (key === undefined || silent.has(socket)) return;
    const body = JSON.stringify({ status: "captured", key, amount: 100, currency: "EUR" });
    const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n`;
    const answer = `${head}content-length: ${body.length}\r\n\r\n${body}`;
    setTimeout(() => socket.write(answer), 50);
  });
}

beforeAll(async () => {
  server = createServer(serve);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterAll(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

test("after three calls without an answer, the next ones use no kept connections", async () => {
  const { port } = server.address() as AddressInfo;
  const provider = new HttpProvider(realRuntime, `http://127.0.0.1:${port}`, 1_000);
  const charge = async (id: number) => (await provider.charge(chargeOf(id))).kind;
  expect(chargeKey(chargeOf(0))).toContain("order-0");
  const first = await Promise.all(Array.from({ length: CONNECTIONS }, (_, i) => charge(i)));
  expect(new Set(first)).toEqual(new Set(["captured"]));
  expect(accepted).toBe(CONNECTIONS);
  for (const socket of sockets) silent.add(socket);
  const lost = Array.from({ length: SILENT_CALLS }, (_, i) => charge(100 + i));
  expect(await Promise.all(lost)).toEqual(["unknown", "unknown", "unknown"]);
  expect(await charge(200)).toBe("captured");
  expect(await charge(201)).toBe("captured");
});
