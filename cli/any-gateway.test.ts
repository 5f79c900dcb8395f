// `sluice top` while the gateway that it knows does not answer.
import { expect, test } from "bun:test";
import { join } from "node:path";
import { gatewayReport, overviewOf } from "../core/domain/test-reports.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { Members } from "../core/stores/members.ts";
import { RedisStore } from "../core/stores/redis.ts";
import { outputOf } from "../test/output-of.ts";
import { testDir, testRedis } from "../test/services.ts";
import { AnyGateway } from "./any-gateway.ts";

const CLI = join(import.meta.dir, "cli.ts");
const TIMEOUT_MS = 120_000;
/** Nobody listens there. */
const SILENT = "http://127.0.0.1:1";
const SECRET = "a-secret-of-at-least-32-characters";

const answering = (text: string) =>
  Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response(text) });
const urlOf = ({ port }: { port?: number | undefined }) => `http://127.0.0.1:${port}`;

test(
  "top asks a gateway that reports in Redis while the first does not answer, and says so",
  async () => {
    const { url } = await testRedis();
    using us = answering(JSON.stringify(overviewOf()));
    const redis = new RedisStore({ runtime: realRuntime, url, onError: () => undefined });
    await redis.client.connect();
    const report = gatewayReport({ id: "us.gateway", region: "us", url: urlOf(us) });
    await new Members(redis).show("us.gateway", 60_000, JSON.stringify(report));
    await redis.close();
    const env = {
      ...{ PATH: process.env.PATH ?? "", SLUICE_DATA: testDir("any-gateway") },
      ...{ SLUICE_REDIS_URL: url, SLUICE_GATEWAY_URL: SILENT, SLUICE_JWT_SECRET: SECRET },
    };
    const top = (...words: string[]) =>
      outputOf([process.execPath, CLI, "top", "--json", ...words], { env });
    const seen = await top();
    expect(seen).toMatchObject({
      code: 0,
      err: `sluice: ${SILENT} does not answer: asked ${urlOf(us)}\n`,
    });
    expect(JSON.parse(seen.out)).toMatchObject({ shardCount: 1 });
    // Who names one wants that one.
    expect((await top("--url", SILENT)).code).toBe(69);
  },
  TIMEOUT_MS,
);

test("the gateway that answered is asked first the next time, then the others", async () => {
  using one = answering("one");
  const two = answering("two");
  const gateway = new AnyGateway(SILENT, async () => [urlOf(two), urlOf(one)]);
  const text = async () => (await gateway.get("/", {})).text();
  expect([await text(), await text()]).toEqual(["two", "two"]);
  expect(gateway.instead).toBe(`${SILENT} does not answer: asked ${urlOf(two)}`);
  await two.stop(true);
  expect(await text()).toBe("one");
  const none = new AnyGateway(SILENT, async () => []);
  await expect(none.get("/", {})).rejects.toThrow(`no gateway answers at ${SILENT} (see --url)`);
});
