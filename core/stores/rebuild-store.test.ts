import { expect, test } from "bun:test";
import { testRedis } from "../../test/services.ts";
import { realRuntime } from "../runtime/runtime.ts";
import { REBUILD_KEY } from "./keys.ts";
import { RebuildStore } from "./rebuild-store.ts";
import { RedisStore } from "./redis.ts";

const HOUR_MS = 3_600_000;

test("an announcement from before a clock was set back holds nobody off", async () => {
  const { url } = await testRedis();
  const redis = new RedisStore({ runtime: realRuntime, url });
  await redis.connect();
  await redis.run((c) => c.del(REBUILD_KEY));
  const store = new RebuildStore(redis);
  expect(await store.announce(2, "gone", 5_000)).toBe("announced");
  expect([await store.underWay("here"), await store.announce(2, "here", 5_000)]).toEqual([
    true,
    "another",
  ]);
  // It was made while Redis's clock was an hour ahead.
  await redis.run((c) => c.pexpire(REBUILD_KEY, HOUR_MS));
  expect(await store.underWay("here")).toBe(false);
  expect(await store.announce(2, "here", 5_000)).toBe("announced");
  expect(await store.announce(2, "other", 5_000)).toBe("another");
  await redis.close();
});
