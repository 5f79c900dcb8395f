// A real process whose limit of file descriptors is lowered while it runs.
import { afterEach, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { until } from "../../test/until.ts";
import { judged } from "../access/descriptors.ts";
import { bearer, order, post, TestSocket } from "../testing.ts";

const LIMIT = 2_400;
/** A quarter of the limit. */
const RESERVE = 600;

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of undo.splice(0).reverse()) await end();
});

interface Victim {
  readonly url: string;
  readonly pid: number;
  readonly port: number;
  metric(sample: string): Promise<number>;
}

async function gatewayWith(descriptors: number): Promise<Victim> {
  const child = Bun.spawn(
    [process.execPath, new URL("./descriptors.child.ts", import.meta.url).pathname],
    { stdout: "pipe", stderr: "inherit" },
  );
  undo.push(async () => {
    child.kill("SIGKILL");
    await child.exited;
  });
  const [first] = await Array.fromAsync(take(child.stdout));
  const [url = "", metrics = ""] = (first ?? "").trim().split(" ");
  const pid = child.pid;
  const limited = Bun.spawn(["prlimit", "--pid", String(pid), `--nofile=${descriptors}`]);
  expect(await limited.exited).toBe(0);
  const metric = async (sample: string) => {
    const text = await (await fetch(metrics)).text();
    const line = text.split("\n").find((l) => l.startsWith(sample));
    return Number(line?.split(" ").at(-1));
  };
  const victim = { url, pid, port: Number(new URL(url).port), metric };
  const max = () => metric("sluice_gateway_max_descriptors");
  await until("the new limit to be seen", async () => (await max()) === descriptors);
  return victim;
}

/** The first line of a stream. */
async function* take(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let text = "";
  for await (const part of stream) {
    text += new TextDecoder().decode(part);
    if (text.includes("\n")) return yield text;
  }
}

const openIn = ({ pid }: Victim) => readdirSync(`/proc/${pid}/fd`).length;

/**
 * Connections that begin an order's request and never end it, at most 40 a millisecond: where the
 * limit is this low, no reserve is large enough for all at once.
 */
async function unfinished({ port }: Victim, count: number): Promise<Socket[]> {
  const { authorization } = await bearer("eve");
  const head =
    `POST /v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n` +
    "Content-Type: application/json\r\nContent-Length: 200\r\n\r\n{";
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    if (sockets.length % 40 === 39) await Bun.sleep(1);
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => socket.destroy());
    socket.write(head);
    undo.push(() => socket.destroy());
    sockets.push(socket);
  }
  return sockets;
}

/** The status of an answer that comes soon; 0: none did. */
const soon = (answer: Promise<Response>) =>
  Promise.race([answer.then(({ status }) => status), Bun.sleep(2_000).then(() => 0)]).catch(
    () => 0,
  );

const placed = async (url: string) =>
  soon(post(`${url}/v1/orders`, order(), { ...(await bearer("ann")), connection: "close" }));

/** Whether a socket with a token is refused. */
const refused = async (url: string) => {
  const socket = await TestSocket.open(url, "bob").catch(() => undefined);
  socket?.ws.close();
  return socket === undefined;
};

test("sockets are refused first, then connections; what is open stays open", async () => {
  const victim = await gatewayWith(LIMIT);
  const { url, metric } = victim;
  const ann = await TestSocket.open(url, "ann");
  const early = await unfinished(victim, LIMIT - 1.5 * RESERVE - openIn(victim));
  await until("descriptors to run short", () => refused(url));
  expect(await metric('sluice_gateway_turned_away_total{what="sockets"')).toBeGreaterThan(0);
  expect(await placed(url)).toBe(202);

  const late = await unfinished(victim, LIMIT);
  await until("the gateway to stop listening", async () => (await placed(url)) === 0);
  expect(openIn(victim)).toBeLessThan(LIMIT - 64);
  ann.send({ type: "order", ref: "1", order: order() });
  expect(await ann.next("acks")).toMatchObject({ acks: [["1", expect.any(String)]] });
  expect(await metric('sluice_gateway_turned_away_total{what="pauses"')).toBeGreaterThan(0);

  for (const socket of [...early, ...late]) socket.destroy();
  await until("it to listen again", async () => (await placed(url)) === 202);
  ann.send({ type: "ping" });
  await ann.next("pong");
  await until("a socket to find room", async () => !(await refused(url)));
}, 60_000);

test("idle connections are closed when descriptors run short", async () => {
  const victim = await gatewayWith(LIMIT);
  const { port, url, metric } = victim;
  const idle = Math.ceil(LIMIT - 1.5 * RESERVE - openIn(victim));
  let closed = 0;
  for (let i = 0; i < idle; i++) {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => socket.destroy());
    socket.resume().on("close", () => closed++);
    socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    undo.push(() => socket.destroy());
  }
  await until("the idle ones to be closed", () => closed > 100);
  expect(await metric('sluice_gateway_turned_away_total{what="idle"')).toBeGreaterThan(100);
  await until("a socket to find room", async () => !(await refused(url)));
  expect(await placed(url)).toBe(202);
}, 60_000);

test("a reserve is a quarter of a low limit, and 1,024 of a high one", () => {
  const at = (open: number, limit: number, before: "free" | "out" = "free") =>
    judged({ open, limit }, before);
  expect([at(1_199, 2_400), at(1_201, 2_400), at(1_801, 2_400)]).toEqual(["free", "tight", "out"]);
  expect([at(17_900, 20_000), at(17_953, 20_000), at(18_977, 20_000)]).toEqual([
    "free",
    "tight",
    "out",
  ]);
  // Not back and forth at one value.
  expect([at(1_700, 2_400, "out"), at(1_499, 2_400, "out")]).toEqual(["out", "tight"]);
});
