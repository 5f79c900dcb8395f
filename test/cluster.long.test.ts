// `sluice up --brokers cluster`: the first region's broker is three nodes. One of them is killed
// with orders on the way, and later the cluster is restarted on its own data.
//
//   ./sluice test cluster
import { afterEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PLACE_OF_NEW_QUEUES } from "../broker/topology.ts";
import { mintToken } from "../cli/token.ts";
import { at } from "../core/domain/at.ts";
import { readSettings } from "../core/settings/settings.ts";
import { rabbitScript } from "../services/rabbitmq.ts";
import { endUps, processesOf, told, up } from "./running-up.ts";
import { testDir } from "./services.ts";
import { until } from "./until.ts";

const TIMEOUT_MS = 900_000;
const WAIT_MS = 120_000;
const NODES = [1, 2, 3];
const USERS = Array.from({ length: 8 }, (_, i) => `user-${i}`);
/** Of each user; all together are fewer than the demo sale's lamps. */
const BEFORE = 8;
const DURING_RESTART = 2;

afterEach(endUps);

interface QueueState {
  readonly name: string;
  readonly leader: string;
  readonly members: readonly string[];
  readonly online: readonly string[];
  readonly arguments: readonly (readonly [name: string, type: string, value: unknown])[];
}

const nodePid = (dir: string, node: number): number =>
  Number(readFileSync(join(dir, `rabbitmq-eu/${node}/run/rabbitmq.pid`), "utf8").split(" ")[0]);

/** What the broker itself reports about its queues; `node` is the one to ask. */
async function queues(dir: string, node: number): Promise<QueueState[]> {
  const environ = readFileSync(`/proc/${nodePid(dir, node)}/environ`, "utf8").split("\0");
  const pairs = environ.map((pair) => pair.split(/=(.*)/s, 2)).filter(([, value]) => value);
  const env = Object.fromEntries(pairs) as Record<string, string>;
  const columns = ["name", "leader", "members", "online", "arguments"];
  const words = ["-q", "list_queues", "-p", "eu", "--formatter", "json", ...columns];
  const script = rabbitScript("rabbitmqctl") ?? "";
  const child = Bun.spawn([script, "-n", env.RABBITMQ_NODENAME ?? "", ...words], { env });
  const all = JSON.parse(await new Response(child.stdout).text()) as QueueState[];
  return all.filter(({ members }) => members.length > 0); // a gateway's own queue has none
}

const numberOf = (node: string) => Number(/-(\d)@/.exec(node)?.[1]);

/** Clients that send an order again until it is accepted, each user's orders one by one. */
class Clients {
  readonly accepted = new Map<string, string>();
  readonly lines = [{ sku: "lamp", qty: 1 }];
  private readonly tokens = new Map<string, string>();

  constructor(
    private readonly dir: string,
    readonly url: string,
  ) {}

  /** `count` orders of each user, numbered on from `from`. */
  async place(count: number, from: number): Promise<void> {
    const { env } = JSON.parse(readFileSync(join(this.dir, "current.json"), "utf8")) as {
      env: Record<string, string>;
    };
    const settings = readSettings(env);
    for (const user of USERS)
      this.tokens.set(user, await mintToken(settings, { user, scope: "", hours: 1 }));
    await Promise.all(
      USERS.map(async (user) => {
        for (let seq = from; seq < from + count; seq++) await this.one(user, seq);
      }),
    );
  }

  private async one(user: string, seq: number): Promise<void> {
    const id = Bun.randomUUIDv7();
    const body = { id, saleId: "demo", currency: "EUR", lines: this.lines, seq };
    const request = {
      method: "POST",
      headers: {
        authorization: `Bearer ${this.tokens.get(user)}`,
        "content-type": "application/json",
      },
      body: JSON.stringify(body),
    };
    const taken = async () => {
      const response = await fetch(`${this.url}/v1/orders`, request).catch(() => undefined);
      return response?.ok ?? false;
    };
    await until(`order ${seq} of ${user} accepted`, taken, WAIT_MS);
    this.accepted.set(id, user);
  }
}

/** Waits until each accepted order is dispatched, and nothing else is on record. */
async function allDispatched(dir: string, accepted: ReadonlyMap<string, string>): Promise<void> {
  for (const user of USERS) {
    const own = [...accepted].filter(([, by]) => by === user).map(([id]) => id);
    const states = async () => {
      const text = await told(dir, "orders", "--user", user, "--json");
      return (JSON.parse(text) as { orders: { id: string; status: string }[] }).orders;
    };
    const done = async () => (await states()).every(({ status }) => status === "dispatched");
    await until(`the orders of ${user}`, done, WAIT_MS);
    expect((await states()).map(({ id }) => id).sort()).toEqual(own.sort());
  }
  expect(await told(dir, "verify", "--partial", "--wait", "60")).toContain("✓ I5");
}

test(
  "a leader is killed, then the cluster restarts: every order is decided exactly once",
  async () => {
    const dir = testDir("cluster");
    const flags = ["--brokers", "cluster", "--http-port", "0"];
    const first = await up(dir, {}, ...flags);
    expect(first.said).toContain("eu "); // or it says why it is not up
    const before = await queues(dir, 1);
    expect(before.map(({ name }) => name)).toContain("orders.1");
    for (const queue of before) {
      expect(queue.members).toHaveLength(3);
      const asked = Object.fromEntries(queue.arguments.map(([name, , value]) => [name, value]));
      expect(asked).toMatchObject(PLACE_OF_NEW_QUEUES);
    }
    expect(new Set(before.map(({ leader }) => leader)).size).toBe(3);

    const leader = before.find(({ name }) => name === "orders.0")?.leader ?? "";
    const clients = new Clients(dir, first.gateways.eu ?? "");
    const sent = clients.place(BEFORE, 1);
    await until("orders on the way", () => clients.accepted.size >= USERS.length, WAIT_MS);
    process.kill(nodePid(dir, numberOf(leader)), "SIGKILL");
    await sent;
    await allDispatched(dir, clients.accepted);
    const living = at(
      NODES.filter((n) => n !== numberOf(leader)),
      0,
    );
    const after = await queues(dir, living);
    expect(after.find(({ name }) => name === "orders.0")?.leader).not.toBe(leader);

    // These wait in the cluster's queues while everything restarts.
    await told(dir, "workers", "pause", "*");
    const waiting = clients.place(DURING_RESTART, BEFORE + 1);
    await waiting;
    first.process.kill("SIGTERM");
    expect(await first.process.exited).toBe(0);
    expect(processesOf(dir)).toEqual([]);

    const second = await up(dir, {}, ...flags);
    await allDispatched(dir, clients.accepted);
    const again = await queues(dir, 1);
    for (const { members, online } of again)
      expect([members.length, online.length]).toEqual([3, 3]);
    expect(again.map(({ name }) => name).sort()).toEqual(before.map(({ name }) => name).sort());
    second.process.kill("SIGTERM");
    expect(await second.process.exited).toBe(0);
    expect(processesOf(dir)).toEqual([]);
  },
  TIMEOUT_MS,
);
