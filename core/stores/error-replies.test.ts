// A real Redis in every state in which it answers with an error.
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { Redis } from "ioredis";
import { freePorts } from "../../services/ports.ts";
import { type PrivateRedis, startRedis } from "../../services/redis.ts";
import { testDir } from "../../test/services.ts";
import { until } from "../../test/until.ts";
import { realRuntime } from "../runtime/runtime.ts";
import { ERROR_REPLIES, type Treatment } from "./error-replies.ts";
import { Members } from "./members.ts";
import { RedisStore, StoreRefused, StoreUnavailable } from "./redis.ts";

const LIMIT_MS = 60_000;
/** A member of no interest: a call that writes. */
const beat = (store: RedisStore) => new Members(store).beat("w", 1_000, "{}", []);
const read = (store: RedisStore) => store.run((client) => client.get("{s}known"));

let redis: PrivateRedis;
let operator: Redis;
beforeAll(async () => {
  redis = await startRedis(testDir("replies"), {
    settings: { "enable-debug-command": "yes", "busy-reply-threshold": "100" },
  });
  operator = new Redis(redis.url);
});
afterAll(async () => {
  operator.disconnect();
  await redis.kill();
});

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const act of undo.splice(0).reverse()) await act();
}, LIMIT_MS);

function storeOf(url: string): RedisStore {
  const store = new RedisStore({ runtime: realRuntime, url });
  undo.push(() => store.close());
  return store;
}

async function own(settings: Record<string, string>): Promise<PrivateRedis> {
  const server = await startRedis(testDir("replies"), { settings });
  undo.push(() => server.kill());
  return server;
}

function clientOf(url: string): Redis {
  const client = new Redis(url);
  client.on("error", () => undefined); // the server is ended under it
  undo.push(() => client.disconnect());
  return client;
}

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error) => error,
  );
const idOf = (store: RedisStore) => store.run((client) => client.client("ID"));
const words = (text: string) => text.split(" ") as [string, ...string[]];
const told = (text: string) => {
  const [command, ...args] = words(text);
  return operator.call(command, ...args);
};

interface State {
  readonly code: string;
  readonly what: string;
  readonly begin: () => Promise<unknown>;
  readonly end: () => Promise<unknown>;
  readonly call?: (store: RedisStore) => Promise<unknown>;
}

/** One server goes through these, with connections open. */
const STATES: readonly State[] = [
  {
    code: "READONLY",
    what: "a primary that has become a replica",
    begin: () => told("REPLICAOF 127.0.0.1 1"),
    end: () => told("REPLICAOF NO ONE"),
  },
  {
    code: "MASTERDOWN",
    what: "a replica without its primary, which may not serve stale data",
    begin: async () => {
      await told("CONFIG SET replica-serve-stale-data no");
      await told("REPLICAOF 127.0.0.1 1");
    },
    end: async () => {
      await told("REPLICAOF NO ONE");
      await told("CONFIG SET replica-serve-stale-data yes");
    },
    call: read,
  },
  {
    code: "OOM",
    what: "no memory left",
    begin: () => told("CONFIG SET maxmemory 1"),
    end: () => told("CONFIG SET maxmemory 0"),
  },
  {
    code: "NOREPLICAS",
    what: "too few replicas",
    begin: () => told("CONFIG SET min-replicas-to-write 1"),
    end: () => told("CONFIG SET min-replicas-to-write 0"),
  },
  {
    code: "NOPERM",
    what: "a user who may not call functions any more",
    begin: () => told("ACL SETUSER default -fcall"),
    end: () => told("ACL SETUSER default +fcall"),
  },
  {
    code: "BUSY",
    what: "a script that does not end",
    begin: async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const other = clientOf(redis.url);
      other.once("ready", () => {
        void other.eval("while true do end", 0).catch(() => undefined);
        resolve();
      });
      await promise;
      await until("the script is busy", async () =>
        String(await failure(operator.get("k"))).includes("BUSY"),
      );
    },
    end: () => told("SCRIPT KILL"),
  },
  {
    code: "LOADING",
    what: "a file that is still being loaded",
    begin: async () => {
      const long = "x".repeat(4_000);
      await operator.mset(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [i, long])));
      await told("CONFIG SET rdbcompression no");
      await told("CONFIG SET loading-process-events-interval-bytes 1024");
      await told("CONFIG SET key-load-delay 20000");
      void clientOf(redis.url)
        .call("DEBUG", "RELOAD")
        .catch(() => undefined);
      await until("it is loading", async () =>
        String(await failure(operator.get("k"))).includes("LOADING"),
      );
    },
    end: () => told("CONFIG SET key-load-delay 0"),
  },
];

for (const { code, what, begin, end, call = beat } of STATES) {
  const { treatment, state } = ERROR_REPLIES[code] as { treatment: Treatment; state: string };
  test(
    `${what} (${code}): ${treatment}, shown as ${state}, and it serves again afterwards`,
    async () => {
      const store = storeOf(redis.url);
      await store.connect();
      await beat(store);
      const before = await idOf(store);
      await begin();
      const error = await failure(call(store));
      expect(error).toBeInstanceOf(treatment === "refuse" ? StoreRefused : StoreUnavailable);
      expect(String(error)).toContain(`Redis: ${code} `);
      expect(store.state).toBe(state);
      await end();
      await until("it serves", async () => (await failure(call(store))) === undefined);
      // A plain command clears nothing: what it met counts for five seconds.
      if (call === beat) expect(store.state).toBe("up");
      expect((await idOf(store)) === before).toBe(treatment !== "redial");
    },
    LIMIT_MS,
  );
}

test("MISCONF: a disk that cannot be written refuses writes, not reads", async () => {
  // Nobody can write files to /proc, root neither.
  const server = await own({ save: "3600 1000000", dir: "/proc" });
  const store = storeOf(server.url);
  await store.connect();
  const admin = clientOf(server.url);
  await failure(admin.bgsave());
  await until("the save has failed", async () =>
    (await admin.info("persistence")).includes("rdb_last_bgsave_status:err"),
  );
  expect(String(await failure(beat(store)))).toContain("Redis: MISCONF ");
  expect(await failure(read(store))).toBeUndefined();
  expect(store.state).toBe("disk_failed");
  await admin.config("SET", "save", "");
  await beat(store);
  expect(store.state).toBe("up");
});

test("a Redis without room for another client is dialled until it has some", async () => {
  const server = await own({ maxclients: "2" });
  const admin = clientOf(server.url);
  const crowd = clientOf(server.url);
  await Promise.all([admin.ping(), crowd.ping()]);
  const store = storeOf(server.url);
  expect(await failure(store.connect())).toBeInstanceOf(StoreUnavailable);
  expect(store.state).toBe("away");
  crowd.disconnect();
  await until("it serves", async () => (await failure(beat(store))) === undefined);
  expect(store.state).toBe("up");
});

test.each([
  ["no password", "redis://127.0.0.1", "wrong_password"],
  ["a wrong password", "redis://:wrong@127.0.0.1", "wrong_password"],
  ["a user without permission", "redis://weak:weak@127.0.0.1", "no_permission"],
])("a role that starts with %s is refused, and the reason names the setting", async (...row) => {
  const [, address, state] = row;
  const server = await own({ requirepass: "right" });
  const admin = clientOf(server.url.replace("//", "//:right@"));
  await admin.call("ACL", "SETUSER", "weak", "on", ">weak", "~*", "+info", "+ping");
  const store = storeOf(`${address}:${server.port}`);
  const error = await failure(store.connect());
  expect(error).toBeInstanceOf(StoreRefused);
  expect(String(error)).toContain("SLUICE_REDIS_URL");
  expect(store.state).toBe(state);
});

test(
  "a Redis Cluster is refused; what its slots do for a moment is waited for",
  async () => {
    const [one, two] = await Promise.all([clusterNode(), clusterNode()]);
    const store = storeOf(one.server.url);
    await store.connect();
    expect(String(await failure(beat(store)))).toContain("CLUSTERDOWN");
    expect(store.state).toBe("cluster_down");

    const slots = (first: number, last: number) => ["ADDSLOTSRANGE", first, last] as const;
    await one.admin.call("CLUSTER", ...slots(0, 8_191));
    await two.admin.call("CLUSTER", ...slots(8_192, 16_383));
    await one.admin.call("CLUSTER", "MEET", "127.0.0.1", two.server.port, two.bus);
    for (const { admin } of [one, two])
      await until("the cluster is up", async () =>
        String(await admin.call("CLUSTER", "INFO")).includes("cluster_state:ok"),
      );
    const get = (...keys: string[]) => failure(store.run((client) => client.mget(keys)));
    const moved = await get("b"); // slot 3300 is here; foo's, 12182, is not
    expect(moved).toBeUndefined();
    expect(await get("foo")).toBeInstanceOf(StoreRefused);
    expect(store.state).toBe("is_cluster");
    expect(String(await get("b", "foo"))).toContain("CROSSSLOT");

    await one.admin.set("{b}1", 1);
    const id = String(await two.admin.call("CLUSTER", "MYID"));
    await one.admin.call("CLUSTER", "SETSLOT", 3_300, "MIGRATING", id);
    const again = await get("{b}1", "{b}2");
    expect(again).not.toBeInstanceOf(StoreRefused);
    expect(again).toBeInstanceOf(StoreUnavailable);
    expect(String(again)).toContain("TRYAGAIN");
    expect(String(await get("{b}2"))).toContain("ASK");
  },
  LIMIT_MS,
);

async function clusterNode() {
  const [bus = 0] = await freePorts(1);
  const settings = { "cluster-enabled": "yes", "cluster-port": String(bus) };
  const server = await own({ ...settings, "cluster-config-file": "nodes.conf" });
  return { server, bus, admin: clientOf(server.url) };
}
