// A client that sends but does not read. Raw sockets, since every WebSocket client reads by itself.
import { afterEach, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { at } from "../../core/domain/at.ts";
import { until } from "../../test/until.ts";
import { bearer, order, startTestGateway, type TestGateway, TestSocket } from "../testing.ts";

const started: TestGateway[] = [];
afterEach(async () => {
  for (const t of started.splice(0)) await t.close();
});

/** Speaks just enough RFC 6455: masked text frames out, unmasked ones in once it reads. */
class Stubborn {
  private received = Buffer.alloc(0);
  readonly closed: Promise<void>;

  private constructor(private readonly socket: Socket) {
    this.closed = new Promise((resolve) => {
      socket.on("close", () => resolve());
    });
    socket.on("error", () => undefined);
  }

  static async open(t: TestGateway): Promise<Stubborn> {
    const socket = connect(t.gateway.port, "127.0.0.1");
    const { authorization } = await bearer("ann");
    socket.write(
      "GET /v1/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
        `Authorization: ${authorization}\r\n\r\n`,
    );
    await new Promise<void>((resolve) => socket.once("data", () => resolve()));
    socket.pause();
    return new Stubborn(socket);
  }

  /** Settles when the kernel has accepted it. */
  async send(frame: unknown): Promise<void> {
    const payload = Buffer.from(JSON.stringify(frame));
    const head = Buffer.from([
      0x81,
      0x80 | 126,
      payload.length >> 8,
      payload.length & 0xff,
      0,
      0,
      0,
      0,
    ]);
    await new Promise<void>((resolve) =>
      this.socket.write(Buffer.concat([head, payload]), () => resolve()),
    );
  }

  /** Starts reading; returns every frame up to the first that `enough` accepts. */
  async readUntil(
    enough: (frame: Record<string, unknown>) => boolean,
  ): Promise<Record<string, unknown>[]> {
    const frames: Record<string, unknown>[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    this.socket.on("data", (data: Buffer) => {
      this.received = Buffer.concat([this.received, data]);
      for (let frame = this.take(); frame; frame = this.take()) {
        frames.push(frame);
        if (enough(frame)) resolve();
      }
    });
    this.socket.resume();
    await promise;
    return frames;
  }

  destroy(): void {
    this.socket.destroy();
  }

  private take(): Record<string, unknown> | undefined {
    const b = this.received;
    if (b.length < 2) return undefined;
    const short = at(b, 1) & 0x7f;
    const headLength = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (b.length < headLength) return undefined;
    const length =
      short < 126 ? short : short === 126 ? b.readUInt16BE(2) : Number(b.readBigUInt64BE(2));
    if (b.length < headLength + length) return undefined;
    this.received = b.subarray(headLength + length);
    const text = (at(b, 0) & 0x0f) === 1;
    return text
      ? (JSON.parse(b.toString("utf8", headLength, headLength + length)) as Record<string, unknown>)
      : { type: "control" };
  }
}

/** 500 answers of about 350 bytes each to a frame of 33 kB, the least there may be for so many. */
const COSTLY = { type: "orders", ref: "x".repeat(64), orders: Array(500).fill("x".repeat(64)) };
/** More than the kernel buffers of both sides hold. */
const COSTLY_FRAMES = 250;

test("answers wait for a client that does not read; excess outcomes are dropped", async () => {
  const t = await startTestGateway({
    limits: { socketBufferBytes: 512 * 1024 * 1024, heldOutcomes: 100, credit: 1_000_000 },
  });
  started.push(t);
  const client = await Stubborn.open(t);
  const placed = Array.from({ length: 200 }, () => order());
  await client.send({ type: "orders", ref: "r", orders: placed });
  const batch = await t.broker.batch(0);
  for (let i = 0; i < COSTLY_FRAMES; i++) await client.send(COSTLY);
  await client.send({ type: "order", ref: "last", order: order() });
  await t.broker.batch(1);
  t.broker.tell({ batches: [[batch.batch, placed.map(() => "reserved").join(",")]], released: [] });
  const frames = await client.readUntil((frame) => frame.type === "outcomes");
  const of = (type: string) => frames.filter((f) => f.type === type);
  const nacked = of("nacks").reduce((sum, f) => sum + (f.nacks as unknown[]).length, 0);
  const acked = of("acks").flatMap((f) => (f.acks as string[][]).map(([ref]) => ref));
  expect(nacked).toBe(COSTLY_FRAMES * 500);
  expect(acked).toEqual([...placed.map(() => "r"), "last"]);
  expect(of("lagging")).toEqual([{ type: "lagging", missed: 100 }]);
  expect(of("outcomes")).toEqual([
    { type: "outcomes", outcomes: placed.slice(0, 100).map((o) => [o.id, "reserved"]) },
  ]);
  client.destroy();
}, 20_000);

test("a client that keeps sending beyond its credit without reading is cut off", async () => {
  const t = await startTestGateway({ limits: { socketBufferBytes: 1024 * 1024, credit: 1_000 } });
  started.push(t);
  const client = await Stubborn.open(t);
  let cut = false;
  void client.closed.then(() => {
    cut = true;
  });
  for (let i = 0; i < 10 * COSTLY_FRAMES && !cut; i++)
    await Promise.race([client.send(COSTLY), client.closed]);
  // Unread data hides the end of the connection until the client reads.
  const gone = client.readUntil(() => false);
  await Promise.race([client.closed, gone]);
  const metrics = await (await fetch(`${t.gateway.url}/metrics`)).text();
  expect(metrics).toMatch(/sluice_gateway_sockets\{[^}]*\} 0\n/);
  expect(metrics).toMatch(/refused_total\{[^}]*reason="credit"[^}]*\} \d+/);
  expect(t.broker.rows).toEqual([]);
}, 20_000);

test("while all sockets have too much unread, one may have little; who reads stays", async () => {
  const t = await startTestGateway({
    limits: { unreadBytes: 1024 * 1024, socketBufferBytes: 512 * 1024 * 1024, credit: 1_000_000 },
  });
  started.push(t);
  const reader = await TestSocket.open(t.gateway.url, "bob");
  const clients = await Promise.all(Array.from({ length: 4 }, () => Stubborn.open(t)));
  // Each has room for itself. The kernel holds some of it.
  const flood = async (client: Stubborn) => {
    for (let i = 0; i < COSTLY_FRAMES; i++)
      if (await Promise.race([client.send(COSTLY), client.closed.then(() => true)])) return;
  };
  const floods = Promise.all(clients.map(flood));
  const unread = async () => {
    const text = await (await fetch(t.gateway.metricsUrl)).text();
    return Number(/^sluice_gateway_unread_bytes\{[^}]*\} (\d+)$/m.exec(text)?.[1]);
  };
  await until("most of them to be cut off", () => t.gateway.report().sockets <= 2, 8_000);
  expect(await unread()).toBeLessThan(3 * 1024 * 1024);
  reader.send({ type: "ping" });
  await reader.next("pong");
  for (const client of clients) client.destroy();
  await floods;
  await until("nothing to be unread", async () => (await unread()) === 0);
}, 30_000);
