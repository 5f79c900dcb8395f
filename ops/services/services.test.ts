import { expect, test } from "bun:test";
import { connect } from "amqplib";
import { Redis } from "ioredis";
import { testDir, testRabbit, testRedis } from "../../test/services.ts";
import { endLeftovers, spawnRecorded, startTime } from "./processes.ts";
import { startRedis } from "./redis.ts";

test("the shared Redis answers", async () => {
  const client = new Redis((await testRedis()).url);
  expect(await client.ping()).toBe("PONG");
  client.disconnect();
});

test("the shared broker gives virtual hosts of their own", async () => {
  const rabbit = await testRabbit();
  const [a, b] = [await rabbit.freshVhost(), await rabbit.freshVhost()];
  expect(a).not.toBe(b);
  const connection = await connect(a);
  const channel = await connection.createChannel();
  expect((await channel.assertQueue("q")).messageCount).toBe(0);
  await connection.close();
}, 60_000);

test("a leftover process is ended by its record, and a reused id is left alone", async () => {
  const dir = testDir("leftover");
  const child = spawnRecorded({ name: "sleeper", command: ["sleep", "60"], recordDir: dir });
  await Bun.write(`${dir}/stranger.pid`, `${process.pid} 1\n`);
  expect(await endLeftovers(dir)).toEqual(["sleeper"]);
  await child.exited;
  expect(startTime(child.pid)).toBe("");
});

test("a private Redis keeps its data over a restart", async () => {
  const dir = testDir("own-redis");
  const first = await startRedis(dir);
  const client = new Redis(first.url);
  await client.set("k", "v");
  client.disconnect();
  await first.stop();
  const second = await startRedis(dir);
  const again = new Redis(second.url);
  expect(await again.get("k")).toBe("v");
  again.disconnect();
  await second.kill();
});
