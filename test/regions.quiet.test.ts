// Two regions, each with a broker of its own, and a gateway whose own broker has an alarm, freezes
// or is killed. It accepts orders again within two seconds, and no order is lost or overtakes
// another.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { accountsOf } from "../broker/accounts.ts";
import { depth, depthForSure } from "../broker/inspect.ts";
import { ORDERS_EXCHANGE, ordersKey, ordersQueue } from "../broker/topology.ts";
import { makeLog } from "../cli/log.ts";
import { lookAtLost, mustBeAway } from "../cli/operator/lost-region.ts";
import { startGatewayRole } from "../cli/roles/gateway.ts";
import { closeRegions, openRegion } from "../cli/roles/parts.ts";
import type { RegionLink } from "../consumers/orders/relay.ts";
import { at } from "../core/domain/at.ts";
import { messageText } from "../core/domain/message.ts";
import type { Row } from "../core/domain/row.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { readSettings } from "../core/settings/settings.ts";
import type { RedisStore } from "../core/stores/redis.ts";
import { ShardStore } from "../core/stores/shard-store.ts";
import { AUDIENCE, bearer, ISSUER, order, post, SECRET, token } from "../gateway/testing.ts";
import { type PrivateBrokers, startBrokers } from "../services/brokers.ts";
import { type PrivateRabbit, startRabbit } from "../services/rabbitmq.ts";
import { testDir } from "./services.ts";
import { makeOrder, SHARDS, Stack, userOf } from "./stack.ts";

const ACCEPTS_AGAIN_MS = 2_000;
const HOME_AFTER_MS = 400;
const GAP_MS = 300;
/** A gap that does not wait has ended by then. */
const WELL_AFTER_MS = 1_600;

let brokers: PrivateBrokers;
let eu: PrivateRabbit;
let stack: Stack;
let us: RegionLink;
let client: RedisStore;
let store: ShardStore;
let gateway: Awaited<ReturnType<typeof startGatewayRole>>;
const silent = makeLog("gateway", (line) => process.env.SHOW_LOG && process.stderr.write(line));
const accounts = accountsOf([]);

function regionsFor(user: string): string {
  return ["eu", "us"].map((name) => `${name}=${brokers.url(name, user)}`).join(",");
}

beforeAll(async () => {
  brokers = await startBrokers(testDir("regions"), {
    layout: "separate",
    regions: ["eu", "us"],
    accounts,
  });
  eu = at(at(brokers.regions, 0).nodes, 0);
  const env = {
    SLUICE_REGIONS: regionsFor("worker"),
    SLUICE_PUBLISHERS: "gateway=gateway",
    SLUICE_GAP_TIMEOUT: `${GAP_MS}ms`,
    SLUICE_HOME_AFTER: `${HOME_AFTER_MS}ms`,
    ...{ SLUICE_JWT_SECRET: SECRET, SLUICE_JWT_ISSUER: ISSUER, SLUICE_JWT_AUDIENCE: AUDIENCE },
    ...{ SLUICE_HTTP_PORT: "0", SLUICE_USER_RATE: "0" },
  };
  stack = await Stack.start({ regions: [], env });
  await stack.sale({ a: 1_000_000 });
  client = await stack.client();
  store = new ShardStore(client);
  const own = { SLUICE_REGIONS: regionsFor("gateway"), SLUICE_REGION: "eu" };
  const settings = readSettings({ ...stack.env, ...own });
  us = await openRegion(realRuntime, at(settings.regions, 1), settings, silent);
  gateway = await startGatewayRole(realRuntime, settings, "g", silent);
  await stack.until("both regions", () => regionStates().every((r) => r.broker === "up"));
}, 120_000);

afterAll(async () => {
  signal("SIGCONT");
  await gateway.stop();
  await client.close();
  await closeRegions([us]);
  await stack.stop();
  await Promise.all([...brokers.nodes, eu].map((node) => node.kill()));
}, 60_000);

interface Placed {
  readonly status: number;
  readonly id: string;
  readonly user: string;
  /** Of the answer, monotonic ms. */
  readonly atMs: number;
  /** The regions that may hold it, if it is not the gateway's own alone. */
  readonly region: string | undefined;
}

async function place(user: string, seq = 0): Promise<Placed> {
  const lines = [{ sku: "a", qty: 1 }];
  const one = order({ saleId: "s1", lines, ...(seq > 0 ? { seq } : {}) }) as { id: string };
  const response = await post(`${gateway.gateway.url}/v1/orders`, one, await bearer(user));
  const { region } = (await response.json()) as { region?: string };
  return { status: response.status, id: one.id, user, atMs: performance.now(), region };
}

/** The status of the answer to a cancel. */
async function cancel({ user, id }: Placed): Promise<number> {
  const url = `${gateway.gateway.url}/v1/orders/${id}`;
  return (await fetch(url, { method: "DELETE", headers: await bearer(user) })).status;
}

/** Orders one after the other, of one user of each shard in turn, until told to stop. */
class Pulse {
  readonly accepted: Placed[] = [];
  static readonly all: Placed[] = [];
  private going = true;
  private readonly done: Promise<void>;

  constructor(private readonly name: string) {
    this.done = this.run();
  }

  private async run(): Promise<void> {
    for (let n = 0; this.going; n++) {
      const placed = await place(`${this.name}${n % 8}`);
      if (placed.status === 202) {
        this.accepted.push(placed);
        Pulse.all.push(placed);
      }
      await Bun.sleep(10);
    }
  }

  /** Waits for the next accepted order that `fits`. */
  async next(fits: (placed: Placed) => boolean): Promise<void> {
    const from = this.accepted.length;
    await stack.until("an accepted order", () => this.accepted.slice(from).some(fits));
  }

  /** The longest time without an accepted order, ms. */
  get longestMs(): number {
    const times = this.accepted.map(({ atMs }) => atMs);
    return Math.max(...times.slice(1).map((ms, i) => ms - at(times, i)));
  }

  async stop(): Promise<void> {
    this.going = false;
    await this.done;
  }
}

/** Runs a command of the command line. */
async function outputOf(words: readonly string[]): Promise<{ code: number; out: string }> {
  const command = [process.execPath, join(import.meta.dir, "../cli/cli.ts"), ...words];
  const env = { ...process.env, ...stack.env };
  const child = Bun.spawn(command, { env, stdout: "pipe", stderr: "ignore" });
  return { out: await new Response(child.stdout).text(), code: await child.exited };
}

const elsewhere = ({ region }: Placed) => region === "us";
const atHome = ({ region }: Placed) => region === undefined;

const regionStates = () => gateway.gateway.report().publishing.regions;

function signal(name: "SIGSTOP" | "SIGCONT"): void {
  try {
    process.kill(eu.pid, name);
  } catch {
    // killed meanwhile
  }
}

/** As another gateway would. */
async function publishInUs(shard: number, row: Row): Promise<void> {
  const body = Buffer.from(messageText([row]));
  const properties = { appId: "us.g", headers: { "x-accepted-at": Date.now() } };
  const key = ordersKey(shard);
  expect(await us.publisher.publish(ORDERS_EXCHANGE, key, body, properties)).toBe("confirmed");
}

function shown(fault: string, ms: number): void {
  if (process.env.SHOW_LOG) process.stderr.write(`${fault}: ${Math.round(ms)} ms\n`);
}

const parkedIn = async (shard: number) => (await store.parked(shard)).orders;

const lookOptions = async () => ({
  ...{ runtime: realRuntime, settings: stack.settings, ledger: stack.ledger, region: "eu" },
  ...{ redis: client, token: await token("ops", { scope: "operator" }) },
});

const FAULTS = {
  "a memory alarm": {
    begin: () => eu.ctl("set_vm_memory_high_watermark", "absolute", "1MB"),
    end: () => eu.ctl("set_vm_memory_high_watermark", "absolute", "2GB"),
  },
  "a frozen broker": {
    begin: async () => signal("SIGSTOP"),
    end: async () => signal("SIGCONT"),
  },
};

async function survives(name: string, fault: (typeof FAULTS)[keyof typeof FAULTS]): Promise<void> {
  const pulse = new Pulse(name.replaceAll(" ", "-"));
  await pulse.next(atHome);
  await fault.begin();
  await pulse.next(elsewhere);
  expect(gateway.gateway.report().publishing.publishesTo).toBe("us");
  const ready = (await (await fetch(`${gateway.gateway.url}/readyz`)).json()) as object;
  expect(ready).toMatchObject({ ok: true, publishesTo: "us" });
  await fault.end();
  await pulse.next(atHome);
  await pulse.stop();
  shown(name, pulse.longestMs);
  expect(pulse.longestMs).toBeLessThan(ACCEPTS_AGAIN_MS);
}

for (const [name, fault] of Object.entries(FAULTS))
  test(`${name}: orders go to the next region, and return`, () => survives(name, fault), 60_000);

test("a queue whose leader does not answer is not taken for an empty one", async () => {
  const user = userOf(0);
  const { consuming } = at(stack.links, 0);
  const worker = await stack.worker("w1");
  await stack.until("the shards", () => worker.worker.shards.length === SHARDS);
  const leader = `eu_${ordersQueue(0)}`;
  await eu.ctl("eval", `sys:suspend('${leader}').`);
  try {
    expect(await depth(consuming, ordersQueue(0))).toEqual({ ready: 0, consumers: 0 });
    await publishInUs(0, makeOrder(user, { a: 1 }, { seq: 2 }).row);
    await stack.until("the order parked", async () => (await parkedIn(0)) === 1);
    await Bun.sleep(WELL_AFTER_MS);
    expect(await parkedIn(0)).toBe(1);
  } finally {
    await eu.ctl("eval", `sys:resume('${leader}').`);
  }
  await stack.until("the gap to end", async () => (await parkedIn(0)) === 0);
  expect((await depthForSure(consuming, ordersQueue(0)))?.consumers).toBeGreaterThan(0);
  await worker.stop();
}, 60_000);

test("killed: a number in its queue is waited for, and decided in order later", async () => {
  const user = userOf(1);
  const first = await place(user, 1);
  expect(first).toMatchObject({ status: 202, region: undefined });
  const regretted = await place(userOf(0, 2));
  const cancelled = cancel(regretted);
  const options = await lookOptions();
  const cancelsIn = async () => (await lookAtLost(options)).orders.filter((o) => o.cancel);
  await stack.until("the cancel accepted", async () => (await cancelsIn()).length === 1);
  const pulse = new Pulse("killed");
  await pulse.next(atHome);
  await eu.kill();
  await pulse.next(elsewhere);
  await pulse.stop();
  shown("killed", pulse.longestMs);
  expect(pulse.longestMs).toBeLessThan(ACCEPTS_AGAIN_MS);
  const second = await place(user, 2);
  expect(second).toMatchObject({ status: 202, region: "us" });

  const worker = await stack.worker("w2");
  await stack.until("the second order parked", async () => (await parkedIn(1)) === 1);
  await Bun.sleep(WELL_AFTER_MS);
  expect(await parkedIn(1)).toBe(1);
  await mustBeAway(options);
  const [home, other] = options.settings.regions;
  const cluster = { name: "eu", url: home?.url ?? "", others: [other?.url ?? ""] };
  const oneNodeLeft = { ...options, settings: { ...options.settings, regions: [cluster] } };
  await expect(mustBeAway(oneNodeLeft)).rejects.toThrow("answers");
  expect(await cancelled).toBe(202);
  const lost = await lookAtLost(options);
  expect(lost.orders.map(({ id }) => id)).toContain(first.id);
  expect(lost.orders.map(({ id }) => id)).not.toContain(second.id);
  expect((await cancelsIn()).map(({ id }) => id)).toEqual([regretted.id]);
  expect(lost.numbers).toEqual([{ shard: 1, saleId: "s1", user, seq: 1, parked: 1 }]);
  expect(lost.silent).toEqual([]);

  eu = await startRabbit(eu.dir, { vhosts: ["eu"], accounts, port: eu.port });
  expect((await stack.decided(user, first.id)).state).toBe("reserved");
  await stack.becomes(user, second.id, "reserved");
  for (const { user: by, id } of Pulse.all) await stack.decided(by, id);
  expect((await lookAtLost(options)).orders).toEqual([]);
  await expect(mustBeAway(options)).rejects.toThrow("answers");
  await worker.stop();
}, 90_000);

test("lost for good: once an operator has said so, no gap waits for it", async () => {
  const user = userOf(0, 1);
  await eu.kill();
  const worker = await stack.worker("w3");
  await stack.until("the shards", () => worker.worker.shards.length === SHARDS);
  const third = makeOrder(user, { a: 1 }, { seq: 3 });
  await publishInUs(0, third.row);
  await stack.until("the order parked", async () => (await parkedIn(0)) === 1);
  await Bun.sleep(WELL_AFTER_MS);
  expect(await parkedIn(0)).toBe(1);
  const words = ["recover", "--region", "eu", "--lost"];
  expect(await stack.spawn(words).exited).toBe(0);
  expect(await stack.ledger.lostRegions()).toEqual(new Set());
  const { code, out } = await outputOf([...words, "--yes", "--json"]);
  expect([code, JSON.parse(out)]).toMatchObject([0, { region: "eu" }]);
  await stack.becomes(user, third.order.id, "reserved");
  await worker.stop();
}, 60_000);
