// A Redis that falls silent: its connections stay open, but nothing arrives.
import { afterEach, expect, test } from "bun:test";
import { TcpProxy } from "../../proof/chaos/tcp-proxy.ts";
import { testRedis } from "../../test/services.ts";
import { realRuntime } from "../runtime/runtime.ts";
import { RedisStore, StoreUnavailable } from "./redis.ts";

const CALL_MS = 500;
/** Generous, so that a slow machine does not pass for a hung call. */
const SOON_MS = 20_000;
const LIMIT_MS = 60_000;

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of undo.splice(0).reverse()) await close();
}, LIMIT_MS);

async function silentable(): Promise<{ proxy: TcpProxy; store: RedisStore }> {
  const { url } = await testRedis();
  const proxy = await TcpProxy.to(url);
  const store = new RedisStore({
    runtime: realRuntime,
    url: proxy.through(url),
    callTimeoutMs: CALL_MS,
  });
  await store.connect();
  undo.push(
    () => proxy.close(),
    () => store.close(),
  );
  return { proxy, store };
}

async function untilAnswered(store: RedisStore): Promise<string> {
  for (const end = performance.now() + SOON_MS; performance.now() < end; await Bun.sleep(20)) {
    const answer = await store.run((client) => client.ping()).catch(() => undefined);
    if (answer !== undefined) return answer;
  }
  throw new Error(`no answer within ${SOON_MS} ms`);
}

test(
  "a call without an answer fails, and its connection is dropped and redialled",
  async () => {
    const { proxy, store } = await silentable();
    proxy.stall("answers");
    const call = store.run((client) => client.ping());
    expect(await call.catch((error) => error)).toBeInstanceOf(StoreUnavailable);
    // The old connection stays silent forever: only a new one can answer.
    proxy.renew();
    expect(await untilAnswered(store)).toBe("PONG");
  },
  LIMIT_MS,
);

test(
  "a new connection that stays silent is dropped too",
  async () => {
    const { proxy, store } = await silentable();
    proxy.stall("requests", "answers");
    const before = proxy.accepted;
    await store.run((client) => client.ping()).catch(() => undefined);
    const end = performance.now() + SOON_MS;
    while (proxy.accepted < before + 2 && performance.now() < end) await Bun.sleep(20);
    expect(proxy.accepted).toBeGreaterThanOrEqual(before + 2);
    proxy.renew();
    expect(await untilAnswered(store)).toBe("PONG");
  },
  LIMIT_MS,
);
