import { expect, test } from "bun:test";
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type ConfirmChannel, connect } from "amqplib";
import { Redis } from "ioredis";
import { readSettings } from "../core/settings/settings.ts";
import { testDir, testRabbit, testRedis } from "../test/services.ts";
import { until } from "../test/until.ts";
import { Fleet } from "./fleet.ts";
import { Keeper } from "./keeper.ts";
import { readKept } from "./kept.ts";
import { localWebhookSecret, startLocalServices } from "./local.ts";
import { cutIfLong } from "./log-files.ts";
import { isFrozen, probeRedis } from "./probes.ts";
import { endByPidFile, endLeftovers, recordedPid, spawnRecorded, startTime } from "./processes.ts";
import { startRabbit } from "./rabbitmq.ts";
import { startRedis } from "./redis.ts";
import { secretIn, writeWhole } from "./secret-file.ts";

test("the shared Redis answers", async () => {
  const client = new Redis((await testRedis()).url);
  expect(await client.ping()).toBe("PONG");
  client.disconnect();
});

test("the shared broker creates separate virtual hosts", async () => {
  const rabbit = await testRabbit();
  const [a, b] = [await rabbit.freshVhost(), await rabbit.freshVhost()];
  expect(a).not.toBe(b);
  const connection = await connect(a);
  const channel = await connection.createChannel();
  expect((await channel.assertQueue("q")).messageCount).toBe(0);
  await connection.close();
}, 60_000);

test("a recorded leftover is stopped, and a process that reuses its id is not", async () => {
  const dir = testDir("leftover");
  const child = spawnRecorded({ name: "sleeper", command: ["sleep", "60"], recordDir: dir });
  await Bun.write(`${dir}/stranger.pid`, `${process.pid} 1\n`);
  expect(await endLeftovers(dir)).toEqual(["sleeper"]);
  await child.exited;
  expect(startTime(child.pid)).toBe("");
});

test.each([
  ["with a file a private Redis keeps its data across a restart", true, "v"],
  ["without one it starts empty", undefined, null],
])("%s", async (_, persistence, kept) => {
  const dir = testDir("own-redis");
  const first = await startRedis(dir, { persistence });
  const client = new Redis(first.url);
  await client.set("k", "v");
  client.disconnect();
  await first.stop();
  const second = await startRedis(dir, { persistence });
  const again = new Redis(second.url);
  expect(await again.get("k")).toBe(kept);
  again.disconnect();
  await second.kill();
});

test("a Redis that never answers is restarted, and doctor reports it", async () => {
  const dir = testDir("deaf-redis");
  const settings = { "enable-debug-command": "yes" };
  const first = await startRedis(join(dir, "redis"), { settings });
  const lines: string[] = [];
  const patience = { everyMs: 20, limitMs: 1_000, times: 3, leastMs: 500 };
  const keeper = new Keeper({ dir, patience, say: (line) => void lines.push(line) });
  keeper.keep("Redis", first, "the log");
  const client = new Redis(first.url, { retryStrategy: () => null, lazyConnect: true });
  client.on("error", () => undefined);
  await client.connect();
  void client.call("debug", "sleep", "1000").catch(() => undefined);
  await until("it is told", () => readKept(dir).get("Redis")?.state === "fails");
  await until("it runs again", () => readKept(dir).get("Redis")?.restarts === 1);
  expect(keeper.pid("Redis")).not.toBe(first.pid);
  expect(lines.join("\n")).toMatch(/not serve.*no answer within 1000 ms[\s\S]*runs again/);
  expect(readKept(dir).get("Redis")?.restartedFor).toContain("no answer within 1000 ms");
  await probeRedis(first.port, 10_000);
  client.disconnect();
  await keeper.stop();
  expect(readKept(dir).size).toBe(0);
}, 60_000);

/** A node's end and its start take ten seconds each, and more on a busy machine. */
const SLOW_MS = 60_000;

test(
  "a RabbitMQ that can no longer declare queues is restarted, and keeps its messages",
  async () => {
    const dir = testDir("mute-rabbit");
    const node = await startRabbit(join(dir, "rabbitmq"), { vhosts: ["eu"] });
    const url = node.url("eu");
    await withChannel(url, async (channel) => {
      await channel.assertQueue("kept", { durable: true });
      channel.sendToQueue("kept", Buffer.from("order"), { persistent: true });
      await channel.waitForConfirms();
    });
    const lines: string[] = [];
    const patience = { everyMs: 100, limitMs: 2_000, times: 3, leastMs: 1_000 };
    const keeper = new Keeper({ dir, patience, say: (line) => void lines.push(line) });
    keeper.keep("RabbitMQ", node, "the log");
    await Bun.sleep(500); // five probes
    expect(lines).toEqual([]);

    // As when it had no file descriptor: it lets clients connect, and every new queue crashes.
    const monitor = "supervisor:terminate_child(rabbit_sup, rabbit_memory_monitor_sup)";
    expect((await node.ctl("eval", `${monitor}.`)).trim()).toBe("ok");
    const kept = () => readKept(dir).get("RabbitMQ");
    await until("it is told", () => kept()?.state === "fails", SLOW_MS);
    await until("it runs again", () => kept()?.restarts === 1, SLOW_MS);
    expect(lines.join("\n")).toMatch(/has not served for 1 s; restarting it[\s\S]*runs again/);
    expect(keeper.pid("RabbitMQ")).not.toBe(node.pid);
    await withChannel(url, async (channel) => {
      await channel.assertQueue("another");
      expect(await channel.checkQueue("kept")).toMatchObject({ messageCount: 1 });
    });
    await keeper.stop();
  },
  4 * SLOW_MS,
);

test("a Redis that is busy, wants a password or is frozen is left alone", async () => {
  const dir = testDir("busy-redis");
  const settings = { "busy-reply-threshold": "20" };
  const redis = await startRedis(join(dir, "redis"), { settings, password: true });
  const options = { enableReadyCheck: false }; // which fails while Redis is busy
  const client = new Redis(redis.url, options);
  const busy = client.eval("while true do end", 0).catch((error) => String(error));
  const other = new Redis(redis.url, options);
  await until("it is busy", async () =>
    (await other.ping().catch((error) => String(error))).includes("BUSY"),
  );
  await redis.probe(10_000);
  await other.script("KILL");
  expect(await busy).toContain("killed");
  client.disconnect();
  other.disconnect();

  process.kill(redis.pid, "SIGSTOP");
  const patience = { everyMs: 10, limitMs: 50, times: 2, leastMs: 100 };
  const keeper = new Keeper({ dir, patience, say: () => undefined });
  keeper.keep("Redis", redis, "the log");
  await until("it is told", () => readKept(dir).get("Redis")?.state === "frozen");
  await Bun.sleep(500); // five times its patience
  expect([keeper.pid("Redis"), isFrozen(redis.pid)]).toEqual([redis.pid, true]);
  process.kill(redis.pid, "SIGCONT");
  await keeper.stop();
}, 60_000);

test("a start stops an unrecorded node that still runs on its folder", async () => {
  const dir = testDir("own-rabbit");
  const first = await startRabbit(dir, { vhosts: ["eu"] });
  expect(readFileSync(`/proc/${first.pid}/comm`, "utf8").trim()).toBe("beam.smp");
  rmSync(join(dir, "run"), { recursive: true });
  const second = await startRabbit(dir, { vhosts: ["eu"] });
  expect(nodesOn(dir)).toEqual([second.pid]);
  expect(second.port).toBe(first.port);
  await first.exited;
  await second.kill();
  await first.kill(); // its epmd
}, 120_000);

test("the next start stops the node of a starter that was killed", async () => {
  const dir = testDir("left-rabbit");
  const module = join(import.meta.dir, "rabbitmq.ts");
  const script = `
    import { startRabbit } from ${JSON.stringify(module)};
    await startRabbit(${JSON.stringify(dir)}, { vhosts: ["eu"] });
    console.log("up");
    await new Promise(() => setInterval(() => undefined, 1_000));`;
  const starter = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
  await starter.stdout.getReader().read();
  const [left] = nodesOn(dir);
  starter.kill("SIGKILL");
  await starter.exited;
  const next = await startRabbit(dir, { vhosts: ["eu"] });
  expect(nodesOn(dir)).toEqual([next.pid]);
  expect(left).toBeNumber();
  expect(next.pid).not.toBe(left as number);
  await next.kill();
  expect(nodesOn(dir)).toEqual([]);
}, 120_000);

test("a store has the port of its last start again, unless another program took it", async () => {
  const dir = testDir("kept-port");
  const start = async (): Promise<number> => {
    const { port, stop } = await startRedis(dir);
    await stop();
    return port;
  };
  const port = await start();
  expect(await start()).toBe(port);
  const other = Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } });
  const next = await start();
  expect(next).not.toBe(port);
  other.stop(true);
  expect(await start()).toBe(next);
});

test("an unrecorded Redis is stopped before another starts on its folder", async () => {
  const dir = testDir("left-redis");
  const first = await startRedis(dir);
  rmSync(join(dir, "run"), { recursive: true });
  const second = await startRedis(dir);
  await first.exited;
  await second.kill();
});

test("a process started again keeps its record though its predecessor ends late", async () => {
  const dir = testDir("successor");
  const start = () => spawnRecorded({ name: "sleeper", command: ["sleep", "60"], recordDir: dir });
  const [first, second] = [start(), start()];
  await first.kill();
  expect(recordedPid(dir, "sleeper")).toBe(second.pid);
  await second.kill();
  expect(recordedPid(dir, "sleeper")).toBeUndefined();
});

test("a log that is too long keeps its end beside it, and its process writes on", () => {
  const file = join(testDir("log"), "role.log");
  writeFileSync(file, "first\nlast\n");
  cutIfLong(file, 11, 5);
  expect(readFileSync(file, "utf8")).toBe("first\nlast\n");
  cutIfLong(file, 10, 5);
  expect(readFileSync(`${file}.1`, "utf8")).toBe("last\n");
  appendFileSync(file, "next\n");
  expect(readFileSync(file, "utf8")).toBe("next\n");
});

test("if RabbitMQ does not start, Redis is ended too, and the reason is named", async () => {
  const dir = testDir("half");
  writeFileSync(join(dir, "rabbitmq"), "not a folder");
  const settings = readSettings({ SLUICE_DATA: dir });
  const started = startLocalServices({ settings, say: () => undefined });
  expect(String(await started.catch((error) => error))).toContain("rabbitmq");
  expect(recordedPid(join(dir, "redis", "run"), "redis")).toBeUndefined();
});

test("a pid file that names an unrelated process stops nothing", async () => {
  const dir = testDir("stranger");
  await Bun.write(join(dir, "redis.pid"), `${process.pid}\n`);
  expect(await endByPidFile(join(dir, "redis.pid"), dir)).toBe(false);
});

/** RabbitMQ nodes that run on a folder. */
function nodesOn(dir: string): number[] {
  return readdirSync("/proc").flatMap((pid) => {
    try {
      const node = readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "beam.smp";
      const here = node && readFileSync(`/proc/${pid}/environ`, "utf8").includes(`${dir}/`);
      return here ? [Number(pid)] : [];
    } catch {
      return []; // not a process, or it has exited
    }
  });
}

test("a role that cannot be started again is tried until it can, never unrecorded", async () => {
  const dir = testDir("fleet");
  const lines: string[] = [];
  const cli = join(dir, "role.ts");
  writeFileSync(cli, "await Bun.sleep(60_000);");
  const fleet = new Fleet({ dir, env: {}, cli, say: (line) => void lines.push(line) });
  const role = fleet.worker("w");
  const first = role.pid();
  // As on a full disk: the record cannot be written.
  const record = join(dir, "run", "w.pid");
  rmSync(record);
  mkdirSync(record);
  process.kill(first, "SIGKILL");
  const tried = () => lines.filter((line) => line.includes("did not start")).length;
  while (tried() < 2) await Bun.sleep(20);
  rmSync(record, { recursive: true });
  while (recordedPid(join(dir, "run"), "w") === undefined) await Bun.sleep(20);
  expect(role.pid()).not.toBe(first);
  expect(recordedPid(join(dir, "run"), "w")).toBe(role.pid());
  const running = () => psOf(cli);
  while (running().length > 1) await Bun.sleep(20);
  expect(running()).toEqual([role.pid()]);
  await fleet.stop();
}, 60_000);

test("a full disk leaves no half of a password, and does not lose one", () => {
  const dir = testDir("secrets");
  const file = join(dir, "password");
  writeFileSync(file, ""); // an earlier start has created it, and no more
  const secret = secretIn(file, 24);
  expect(secret).toHaveLength(32);
  expect(secretIn(file, 24)).toBe(secret);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  mkdirSync(`${file}.new`); // now nothing can be written
  expect(() => writeWhole(file, "another")).toThrow();
  expect(readFileSync(file, "utf8")).toBe(secret);
});

test("a new secret of webhooks has the form of Standard Webhooks, and an old one is kept", () => {
  const dir = testDir("webhook-secret");
  const secret = localWebhookSecret(dir);
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(localWebhookSecret(dir)).toBe(secret);
  expect(readFileSync(join(dir, "webhook-secret"), "utf8")).toBe(secret);
  const old = "Zm9vYmFy".repeat(8);
  writeFileSync(join(dir, "webhook-secret"), old);
  expect(localWebhookSecret(dir)).toBe(old);
});

/** Processes that run a file. */
function psOf(file: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && startTime(Number(name)) !== "")
    .filter((name) => cmdlineOf(name).includes(file))
    .map(Number);
}

function cmdlineOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return ""; // it has ended
  }
}

async function withChannel(
  url: string,
  use: (channel: ConfirmChannel) => Promise<void>,
): Promise<void> {
  const connection = await connect(url);
  connection.on("error", () => undefined); // what waits for it is rejected
  try {
    await use(await connection.createConfirmChannel());
  } finally {
    await connection.close().catch(() => undefined);
  }
}
