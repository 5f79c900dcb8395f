// Each trouble of the line does what it says, shows in its counts, and ends.
import { afterEach, expect, test } from "bun:test";
import { createServer, connect as dial, type Server, type Socket } from "node:net";
import { until } from "../../test/until.ts";
import { TcpProxy } from "./tcp-proxy.ts";

let echo: Server | undefined;
let proxy: TcpProxy;
const clients: Client[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy();
  await proxy.close();
  echo?.close();
});

/** What the server of the test has received, over all connections. */
let served: { text: string };

async function line(): Promise<void> {
  // Its own: bytes of an earlier test's connections may still arrive.
  const received = { text: "" };
  served = received;
  const server = createServer((socket) => {
    socket.on("data", (data) => {
      received.text += data;
      socket.write(data);
    });
    socket.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  echo = server;
  proxy = await TcpProxy.to(`tcp://127.0.0.1:${(server.address() as { port: number }).port}`);
}

interface Client {
  readonly socket: Socket;
  got: string;
  closed: boolean;
  error: string | undefined;
}

function client(): Client {
  const { hostname, port } = new URL(proxy.through("tcp://x:1"));
  const socket = dial(Number(port), hostname);
  const made: Client = { socket, got: "", closed: false, error: undefined };
  socket.on("data", (data) => (made.got += data));
  socket.on("error", (error: NodeJS.ErrnoException) => (made.error = error.code));
  socket.on("close", () => (made.closed = true));
  clients.push(made);
  return made;
}

async function echoed(of: Client, text: string): Promise<number> {
  const startedMs = performance.now();
  const expected = of.got + text;
  of.socket.write(text);
  await until(`the echo of ${text.length} bytes`, () => of.got.length >= expected.length, 5_000);
  expect(of.got).toBe(expected);
  return performance.now() - startedMs;
}

test("a slow line delivers everything late and in order, and is quick again", async () => {
  await line();
  const c = client();
  await echoed(c, "a");
  proxy.slow({ delayMs: 60, jitterMs: 40 });
  const late = await Promise.all([echoed(c, "b")]);
  expect(late[0]).toBeGreaterThan(115);
  for (let i = 0; i < 20; i++) c.socket.write(String(i % 10));
  await until("all echoes", () => c.got.length === 22, 5_000);
  expect(c.got).toBe("ab01234567890123456789");
  expect(proxy.counts.delayed).toBeGreaterThan(2);
  proxy.renew();
  expect(await echoed(c, "z")).toBeLessThan(60);
});

test("a narrow line passes its bytes a second, and reads no more than it can hold", async () => {
  await line();
  const c = client();
  proxy.slow({ bytesPerS: 100_000 });
  const took = await echoed(c, "x".repeat(20_000));
  expect(took).toBeGreaterThan(190);
  expect(took).toBeLessThan(2_000);
  const flood = 64 * 1024 * 1024;
  c.socket.write(Buffer.alloc(flood));
  await Bun.sleep(100);
  expect(c.socket.writableLength).toBeGreaterThan(flood / 4); // the sender is not read
});

test("a close comes after the bytes that were still under way", async () => {
  await line();
  const c = client();
  await echoed(c, "a");
  proxy.slow({ delayMs: 80 });
  c.socket.end("last words");
  await until("the last words", () => served.text === "alast words", 2_000);
});

test("a cut tears all connections down, and the next one works", async () => {
  await line();
  const c = client();
  await echoed(c, "a");
  proxy.cut();
  await until("the client to see it", () => c.closed, 2_000);
  expect(proxy.counts.cut).toBe(1);
  await echoed(client(), "b");
});

test.each(["requests", "answers"] as const)(
  "half open: %s do not arrive, the other direction does, and nothing is closed",
  async (direction) => {
    await line();
    const c = client();
    await echoed(c, "a");
    proxy.stall(direction);
    c.socket.write("b");
    await until("a loss", () => proxy.counts.dropped[direction] === 1, 2_000);
    expect([served.text, c.got, c.closed]).toEqual([
      direction === "answers" ? "ab" : "a",
      "a",
      false,
    ]);
    proxy.renew();
    await echoed(client(), "c");
  },
);

test("a silent line accepts connections and says nothing", async () => {
  await line();
  proxy.stall("requests", "answers");
  const c = client();
  c.socket.write("a");
  await until("a loss", () => proxy.counts.dropped.requests === 1, 2_000);
  expect([c.got, c.error, c.closed, proxy.accepted]).toEqual(["", undefined, false, 1]);
});

test.each([0, 1, 7])("reset %d bytes into a frame, once", async (bytes) => {
  await line();
  const c = client();
  await echoed(c, "before");
  proxy.resetAfter("requests", bytes);
  c.socket.write("0123456789");
  await until("the reset", () => c.closed, 2_000);
  expect([c.error, proxy.counts.resets]).toEqual(["ECONNRESET", 1]);
  expect(served.text).toBe(`before${"0123456789".slice(0, bytes)}`);
  await echoed(client(), "again");
});

test("refused: the kernel answers for nobody; open connections continue", async () => {
  await line();
  const open = client();
  await echoed(open, "a");
  proxy.refuse();
  const refused = client();
  await until("the refusal", () => refused.closed, 2_000);
  expect(refused.error).toBe("ECONNREFUSED");
  await echoed(open, "b");
  await proxy.serve();
  await echoed(client(), "c");
});
