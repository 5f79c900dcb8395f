// Traffic through the examples of deploy/tls, by nginx and by Caddy as they are installed here:
// `./sluice test tls`. Only addresses, ports and certificates of the examples are replaced.
import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { realRuntime } from "../core/runtime/runtime.ts";
import { ClientAddress } from "../gateway/access/client-address.ts";
import { bearer, closeGateways, order, start, startTestGateway } from "../gateway/testing.ts";
import { freePorts, untilListening } from "../services/ports.ts";
import { type Child, spawnRecorded } from "../services/processes.ts";
import { testDir } from "../test/services.ts";
import { until } from "../test/until.ts";

const LIMIT_MS = 120_000;
/** How long a gateway that stops still accepts orders: SLUICE_DRAIN_NOTICE. */
const NOTICE_MS = 5_000;
const PATH = `${process.env.PATH}:/usr/sbin`;
const certificate = { key: "", crt: "" };
const ends: (() => Promise<unknown>)[] = [];
const EXAMPLES = { nginx: "nginx.conf", caddy: "Caddyfile" } as const;
type Kind = keyof typeof EXAMPLES;

beforeAll(() => {
  const dir = testDir("certificate");
  Object.assign(certificate, { key: join(dir, "key.pem"), crt: join(dir, "crt.pem") });
  const names = "subjectAltName=IP:127.0.0.1,DNS:eu.shop.example";
  const made = Bun.spawnSync([
    ...["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"],
    ...["-subj", "/CN=eu.shop.example", "-addext", names],
    ...["-keyout", certificate.key, "-out", certificate.crt],
  ]);
  expect(made.exitCode).toBe(0);
}, LIMIT_MS);

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await closeGateways();
}, LIMIT_MS);

/** An example with parts replaced; each must be in it. */
function example(kind: Kind, changes: readonly (readonly [was: string, is: string])[]): string {
  let text = readFileSync(join(import.meta.dir, "tls", EXAMPLES[kind]), "utf8");
  for (const [was, is] of changes) {
    expect(text).toContain(was);
    text = text.replace(was, is);
  }
  return text;
}

/** The proxy in front of two gateways. */
async function front(kind: Kind, gateways: readonly [number, number]) {
  const [secure = 0, plain = 0] = await freePorts(2);
  const dir = testDir(kind);
  const upstreams = [
    ["127.0.0.1:8080", `127.0.0.1:${gateways[0]}`],
    ["127.0.0.1:8082", `127.0.0.1:${gateways[1]}`],
  ] as const;
  const command =
    kind === "nginx" ? nginx(dir, secure, plain, upstreams) : caddy(dir, secure, upstreams);
  const env = { PATH, HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir };
  const logFile = join(dir, "log");
  const proxy: Child = spawnRecorded({ name: kind, command, recordDir: dir, env, logFile });
  ends.push(() => proxy.stop("SIGTERM", 2_000));
  await untilListening(secure, 30_000, proxy.exited);
  return { url: `https://127.0.0.1:${secure}`, plain: `http://127.0.0.1:${plain}` };
}

type Changes = readonly (readonly [string, string])[];

function nginx(dir: string, secure: number, plain: number, upstreams: Changes): string[] {
  const file = join(dir, "site.conf");
  const site = example("nginx", [
    ...upstreams,
    ["listen 80;", `listen 127.0.0.1:${plain};`],
    ["listen [::]:80;", ""],
    ["listen 443 ssl http2;", `listen 127.0.0.1:${secure} ssl http2;`],
    ["listen [::]:443 ssl http2;", ""],
    ["/etc/ssl/sluice/fullchain.pem", certificate.crt],
    ["/etc/ssl/sluice/privkey.pem", certificate.key],
  ]);
  writeFileSync(file, site);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (what) => `${what}_temp_path ${dir}/${what};`,
  );
  writeFileSync(
    join(dir, "nginx.conf"),
    `user root; daemon off; pid ${dir}/nginx.pid; error_log ${dir}/log; events {}
     http { access_log off; ${temporary.join(" ")} include ${file}; }`,
  );
  return ["nginx", "-p", dir, "-c", join(dir, "nginx.conf")];
}

function caddy(dir: string, secure: number, upstreams: Changes): string[] {
  const file = join(dir, "Caddyfile");
  const { crt, key } = certificate;
  const site = example("caddy", [
    ...upstreams,
    ["{\n\tservers {", "{\n\tadmin off\n\tauto_https disable_redirects\n\tservers {"],
    ["eu.shop.example {", `https://127.0.0.1:${secure} {\n\ttls ${crt} ${key}`],
    // The rest of loopback stands for the internet.
    ["private_ranges", "127.0.0.1"],
  ]);
  writeFileSync(file, site);
  return ["caddy", "run", "--adapter", "caddyfile", "--config", file];
}

/** A gateway that only notes what reaches it. */
function recorder() {
  const seen: { path: string; port: number; headers: Headers }[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, self) => {
      const path = new URL(request.url).pathname;
      const port = self.requestIP(request)?.port ?? 0;
      if (path !== "/readyz") seen.push({ path, port, headers: request.headers });
      return Response.json({ long: "x".repeat(2_000) });
    },
  });
  ends.push(() => server.stop(true));
  return { seen, port: server.port as number };
}

/** One that is ready, and breaks the connection once it has an order. */
async function breaking(): Promise<{ port: number; orders: () => number }> {
  let orders = 0;
  const server: Server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      if (data.toString().startsWith("GET /readyz"))
        return socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
      orders++;
      return socket.destroy();
    });
  });
  const [port = 0] = await freePorts(1);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  ends.push(() => new Promise((resolve) => server.close(resolve)));
  return { port, orders: () => orders };
}

/** curl's answer, from another address than the proxy's own. */
async function curl(...more: string[]): Promise<string> {
  const from = ["--interface", "127.0.0.2", "--insecure", "--silent", "--show-error"];
  const child = Bun.spawn(["curl", ...from, "--max-time", "10", ...more], { stdout: "pipe" });
  return new Response(child.stdout).text();
}

const tls = { rejectUnauthorized: false };
const STATUS = ["--output", "/dev/null", "--write-out", "%{http_code} %{http_version}"];

describe.each(Object.keys(EXAMPLES) as Kind[])("%s", (kind) => {
  const there = test.skipIf(Bun.which(kind, { PATH }) === null);
  there(
    "orders, sockets and event streams pass; who leaves a stream leaves the gateway",
    async () => {
      const { gateway } = await start();
      const { url, plain } = await front(kind, [gateway.port, gateway.port]);
      const headers = { ...(await bearer("ann")), "content-type": "application/json" };
      const placed = order();
      const body = JSON.stringify(placed);
      const answer = await fetch(`${url}/v1/orders`, { method: "POST", headers, body, tls });
      expect(answer.status).toBe(202);
      const { authorization } = headers;
      const over2 = await curl(
        ...["--http2", "-H", `authorization: ${authorization}`, "--json", JSON.stringify(order())],
        ...[...STATUS, `${url}/v1/orders`],
      );
      expect(over2).toBe("202 2");
      // A stream's first event arrives while it stays open.
      const leave = new AbortController();
      const stream = await fetch(`${url}/v1/orders/${placed.id}/events`, {
        ...{ headers, tls, signal: leave.signal },
      });
      const reader = stream.body?.getReader();
      let text = "";
      while (!text.includes("event: accepted"))
        text += new TextDecoder().decode((await reader?.read())?.value);
      expect(gateway.report().followed).toBe(1);
      leave.abort();
      await until("the gateway has noticed", () => gateway.report().followed === 0);
      const socket = await secureSocket(url, authorization);
      const echoed = new Promise((resolve) => {
        socket.onmessage = ({ data }) => String(data).includes('"pong"') && resolve(true);
      });
      socket.send(JSON.stringify({ type: "ping" }));
      expect(await echoed).toBe(true);
      await until("the socket counts", () => gateway.report().sockets === 1);
      socket.close();
      await until("the socket is gone", () => gateway.report().sockets === 0);
      if (kind === "nginx") {
        const redirect = await fetch(`${plain}/v1/sales?x=1`, { redirect: "manual" });
        expect(redirect.status).toBe(308);
        expect(redirect.headers.get("location")).toBe("https://127.0.0.1/v1/sales?x=1");
      }
    },
    LIMIT_MS,
  );

  there(
    "connections are kept, addresses are the proxy's word, operators' calls stay inside",
    async () => {
      const [one, two] = [recorder(), recorder()];
      const { url } = await front(kind, [one.port, two.port]);
      for (let i = 0; i < 8; i++) {
        const { status } = await fetch(`${url}/v1/sales`, { tls });
        expect(status).toBe(200);
      }
      for (const { seen } of [one, two])
        expect(new Set(seen.map(({ port }) => port)).size).toBeLessThanOrEqual(1);
      expect(one.seen.length + two.seen.length).toBe(8);
      await curl("-H", "x-forwarded-for: 6.6.6.6", `${url}/v1/rates`);
      const all = [...one.seen, ...two.seen];
      const headers = all.find(({ path }) => path === "/v1/rates")?.headers;
      const proxies = new ClientAddress(["127.0.0.1"]);
      expect(proxies.of("127.0.0.1", headers?.get("x-forwarded-for"))).toBe("127.0.0.2");
      const inside = ["/v1/admin/me", "/v1/%61dmin/me", "//v1/admin/me", "/v1/x/../admin/me"];
      for (const path of [...inside, "/console", "/console/orders", "/metrics"])
        expect([path, await curl("--path-as-is", ...STATUS, url + path)]).toEqual([path, "403 2"]);
      const own = await fetch(`${url}/v1/admin/me`, { tls });
      expect(own.status).toBe(200);
      if (kind === "caddy")
        expect(
          await curl(
            "-H",
            "accept-encoding: gzip",
            "-D",
            "-",
            "-o",
            "/dev/null",
            `${url}/v1/sales`,
          ),
        ).toMatch(/content-encoding: gzip/i);
    },
    LIMIT_MS,
  );

  there(
    "an order goes to the other gateway if the first is away, and never to both",
    async () => {
      const [away = 0] = await freePorts(1);
      const live = recorder();
      const place = async (url: string) =>
        (await fetch(`${url}/v1/orders`, { method: "POST", body: "{}", tls })).status;
      const { url } = await front(kind, [away, live.port]);
      for (let i = 0; i < 6; i++) expect(await place(url)).toBe(200);
      expect(live.seen).toHaveLength(6);
      const [broken, other] = [await breaking(), recorder()];
      const second = await front(kind, [broken.port, other.port]);
      const statuses: number[] = [];
      // Each takes one of the two; which one, the proxy decides.
      while (broken.orders() === 0 && statuses.length < 60) statuses.push(await place(second.url));
      expect(broken.orders()).toBe(1);
      expect(statuses.at(-1)).toBe(502);
      expect(broken.orders() + other.seen.length).toBe(statuses.length);
    },
    LIMIT_MS,
  );

  there(
    "a rolling restart of both gateways fails no order",
    async () => {
      const ports = (await freePorts(2)) as [number, number];
      const launch = (i: 0 | 1) => startTestGateway({ id: `gw-${i}`, port: ports[i] });
      const running = [await launch(0), await launch(1)];
      ends.push(() => Promise.all(running.map((one) => one.close())));
      const { url } = await front(kind, ports);
      const answers = new Map<number, number>();
      let going = true;
      const buyer = async (name: string) => {
        const headers = { ...(await bearer(name)), "content-type": "application/json" };
        while (going) {
          const body = JSON.stringify(order());
          const { status } = await fetch(`${url}/v1/orders`, {
            method: "POST",
            headers,
            body,
            tls,
          });
          answers.set(status, (answers.get(status) ?? 0) + 1);
          await realRuntime.sleep(20);
        }
      };
      const buyers = ["ann", "ben", "cid", "dee", "eve", "fay"].map(buyer);
      for (const i of [0, 1] as const) {
        running[i]?.gateway.leave();
        // Two rounds of the proxy's question, and one that finds the new one well.
        await realRuntime.sleep(NOTICE_MS);
        await running[i]?.close();
        running[i] = await launch(i);
        await realRuntime.sleep(NOTICE_MS);
      }
      going = false;
      await Promise.all(buyers);
      expect([...answers.keys()]).toEqual([202]);
      expect(answers.get(202)).toBeGreaterThan(500);
    },
    LIMIT_MS,
  );
});

async function secureSocket(url: string, authorization: string): Promise<WebSocket> {
  const options = { headers: { authorization }, tls } as unknown as string[];
  const socket = new WebSocket(`${url.replace("https", "wss")}/v1/ws`, options);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error("the handshake was refused"));
  });
  return socket;
}
