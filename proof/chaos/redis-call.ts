// One command on a connection of its own, as redis-cli would send it.
import { realRuntime } from "../../core/runtime/runtime.ts";
import { RedisStore } from "../../core/stores/redis.ts";

export async function redisCall(
  url: string,
  command: string,
  args: readonly (string | number)[],
): Promise<unknown> {
  const store = new RedisStore({ runtime: realRuntime, url });
  try {
    await store.client.connect();
    return await store.client.call(command, ...args);
  } finally {
    await store.close();
  }
}
