// Webhooks to a real receiver that is down, slow or failing, from senders that come and go.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import { prng } from "../../core/runtime/prng.ts";
import { type Runtime, realRuntime } from "../../core/runtime/runtime.ts";
import { SHARDS } from "../../ledger/test-entries.ts";
import { until } from "../../test/until.ts";
import { openScene, type Received, Receiver, type Scene } from "./testing.ts";
import { WebhookSender } from "./webhook-sender.ts";

const TIMEOUT_MS = 60_000;
const LIFE = ["order.decided", "order.paid", "order.dispatched"];
let scene: Scene;
let receiver: Receiver;
const senders: WebhookSender[] = [];
const children: ReturnType<typeof Bun.spawn>[] = [];

beforeEach(async () => {
  scene = await openScene();
  receiver = new Receiver();
  receiver.start();
});
afterEach(async () => {
  for (const sender of senders.splice(0)) await sender.stop();
  for (const child of children.splice(0)) {
    child.kill("SIGKILL");
    await child.exited;
  }
  await receiver.stop();
  await scene.close();
});

async function sender(
  times: { pauseAfterMs?: number; giveUpMs?: number } = {},
  runtime: Runtime = realRuntime,
) {
  const one = new WebhookSender({
    runtime,
    id: `sender-${realRuntime.uuid()}`,
    ledger: scene.ledger,
    leaseMs: 1_500,
    timeoutMs: 300,
    privateAllowed: true,
    times: { retryMs: 50, pauseAfterMs: 600_000, giveUpMs: 600_000, ...times },
    log: () => undefined,
  });
  await one.start();
  senders.push(one);
  return one;
}

/** All of the ledger's events have arrived, and those of each order in its order. */
async function allArrive(path = "/"): Promise<readonly Received[]> {
  const wanted = (await scene.events()).map(({ id }) => id).sort();
  await until(
    `${wanted.length} events at ${path}`,
    () => receiver.taken(path).length >= wanted.length,
    TIMEOUT_MS,
  );
  const taken = receiver.taken(path);
  expect(taken.map(({ id }) => id).sort()).toEqual(wanted);
  for (const [, events] of Map.groupBy(taken, ({ subject }) => subject))
    expect(events.map(({ type }) => type)).toEqual(LIFE);
  const bodies = Map.groupBy(receiver.received, ({ id }) => id);
  for (const [, copies] of bodies) expect(new Set(copies.map(({ body }) => body)).size).toBe(1);
  return taken;
}

const endpoint = async () => (await scene.ledger.webhooks.list())[0];
const deliveries = async (id: string) => (await scene.ledger.webhooks.log(id, 1_000)) ?? [];

test(
  "every event arrives in order, though the receiver is down, slow, and often fails",
  async () => {
    const draw = prng(7);
    receiver.behave = () => {
      const luck = draw();
      if (luck < 0.15) return 500;
      return luck < 0.18 ? { status: 204, afterMs: 500 } : 204;
    };
    await receiver.stop();
    const id = await scene.add(receiver.url);
    await scene.live(10);
    await sender();
    await until("a failed delivery", async () => (await deliveries(id)).length > 0);
    receiver.start();
    await scene.live(10);
    await allArrive();
    expect(receiver.received.some(({ status }) => status === 500)).toBe(true);
    await until("nothing is held", async () => (await endpoint())?.held === 0);
    expect(await endpoint()).toMatchObject({ failingSinceMs: 0, paused: undefined });
  },
  TIMEOUT_MS,
);

test(
  "a failing order holds its own later events back, and no others",
  async () => {
    await scene.add(receiver.url);
    let broken = "";
    receiver.behave = ({ subject }) => {
      broken ||= subject;
      return subject === broken ? 503 : 200;
    };
    await sender();
    // Its later events are read when the first one has failed.
    const ids = await scene.live(SHARDS * 4, () =>
      until("it has failed", async () => (await endpoint())?.held === 1),
    );
    const others = 3 * (ids.length - 1);
    await until("the others arrive", () => receiver.taken().length === others);
    const tried = receiver.received.filter(({ subject }) => subject === broken);
    expect(new Set(tried.map(({ type }) => type))).toEqual(new Set(["order.decided"]));
    await until("its events are held", async () => (await endpoint())?.held === 3);
    receiver.behave = () => 200;
    await allArrive();
  },
  TIMEOUT_MS,
);

test(
  "an endpoint that fails for long is paused and says so; resumed, it gets everything",
  async () => {
    const id = await scene.add(receiver.url);
    await scene.live(SHARDS * 10);
    receiver.behave = () => 500;
    await sender({ pauseAfterMs: 500 });
    await until("it is paused", async () => (await endpoint())?.paused !== undefined);
    const before = receiver.received.length;
    // One event is tried at a time: sixty events of twenty orders were not all tried in that time.
    expect(before).toBeLessThan(60);
    expect((await endpoint())?.paused).toMatchObject({ by: "sluice" });
    expect((await endpoint())?.paused?.why).toContain("it answered 500");
    receiver.behave = () => 200;
    await realRuntime.sleep(400);
    expect(receiver.received.length).toBe(before);
    expect(await scene.ledger.webhooks.resume(id)).toBe(true);
    await allArrive();
  },
  TIMEOUT_MS,
);

test(
  "an event that is refused for long is given up; an operator sends it again",
  async () => {
    const id = await scene.add(receiver.url);
    const [first] = await scene.live(SHARDS);
    let broken = true;
    receiver.behave = ({ subject, type }) =>
      broken && subject.endsWith(`/${first}`) && type === "order.decided" ? 422 : 200;
    await sender({ giveUpMs: 200 });
    await until("its later events arrive", () => receiver.taken().length === 3 * SHARDS - 1);
    const log = await deliveries(id);
    const lost = log.find(({ outcome }) => outcome === "given_up");
    expect(lost).toMatchObject({ type: "order.decided", status: 422 });
    broken = false;
    expect(await scene.ledger.webhooks.redeliver(id, "no-such-event")).toBe("no_event");
    expect(await scene.ledger.webhooks.redeliver(id, lost?.eventId ?? "")).toBe("done");
    await until("it arrives", () => receiver.taken().length === 3 * SHARDS);
    expect(receiver.taken().at(-1)?.id).toBe(lost?.eventId ?? "");
  },
  TIMEOUT_MS,
);

test("a sender whose clock is days ahead gives up nothing and postpones nothing", async () => {
  const aheadMs = 3 * 86_400_000;
  const ahead = { ...realRuntime, wallMs: () => realRuntime.wallMs() + aheadMs };
  const id = await scene.add(receiver.url);
  const refused = () => receiver.received.filter(({ status }) => status === 503).length;
  receiver.behave = () => 503;
  await scene.live(1);
  const right = await sender();
  await until("it is refused", () => refused() > 0);
  await right.stop();
  const before = refused();
  const wrong = await sender({}, ahead);
  await until("it is tried by the other", () => refused() > before);
  await until("that is on record", async () => (await deliveries(id)).length > before);
  await wrong.stop();
  expect(new Set((await deliveries(id)).map(({ outcome }) => outcome))).toEqual(
    new Set(["failed"]),
  );
  expect(await endpoint()).toMatchObject({ paused: undefined });
  receiver.behave = () => 204;
  await sender();
  await allArrive();
  for (const { atMs } of await deliveries(id)) expect(atMs).toBeLessThan(Date.now() + 1_000);
}, 20_000);

test(
  "a receiver that answers 410 is paused at once",
  async () => {
    await scene.add(receiver.url);
    await scene.live(1);
    receiver.behave = () => 410;
    await sender();
    await until("it is paused", async () => (await endpoint())?.paused !== undefined);
    expect((await endpoint())?.paused?.why).toContain("410");
  },
  TIMEOUT_MS,
);

test(
  "senders share the endpoints; one that is killed mid-way is replaced, and nothing is lost",
  async () => {
    const paths = ["/a", "/b", "/c", "/d"];
    for (const path of paths) await scene.add(`${receiver.url}${path}`);
    receiver.behave = ({ nth }) => (nth % 20 === 0 ? 500 : 200);
    const first = spawnSender();
    await scene.live(10);
    const takenAt = (path: string) => receiver.taken(path).length;
    await until("every endpoint has events", () => paths.every(takenAt), TIMEOUT_MS);
    spawnSender();
    await until("both have some", async () => new Set(await holders()).size === 2, TIMEOUT_MS);
    // The receiver takes its time, so that the sender that is killed has pages under way.
    receiver.behave = () => ({ status: 200, afterMs: 1_000 });
    const before = receiver.begun.length;
    await scene.live(40);
    const asked = () => new Set(receiver.begun.slice(before));
    await until("every endpoint is asked", () => asked().size === paths.length, TIMEOUT_MS);
    first.kill("SIGKILL");
    receiver.behave = ({ nth }) => (nth % 20 === 0 ? 500 : 200);
    for (const path of paths) await allArrive(path);
    await until("the other has all", async () => new Set(await holders()).size === 1, TIMEOUT_MS);
  },
  2 * TIMEOUT_MS,
);

async function holders(): Promise<string[]> {
  const { Db } = await import("../../ledger/db.ts");
  const db = await Db.open(realRuntime, scene.url);
  const rows = await db.run("SELECT holder FROM webhook_endpoints");
  await db.close();
  return rows.map((r) => String(r.holder));
}

function spawnSender() {
  const cli = join(import.meta.dir, "..", "..", "cli", "cli.ts");
  const child = Bun.spawn([process.execPath, cli, "sender"], {
    env: {
      ...process.env,
      SLUICE_LEDGER_URL: scene.url,
      SLUICE_SHARDS: String(SHARDS),
      SLUICE_LEASE_TTL: "1500ms",
      SLUICE_WEBHOOK_RETRY: "50ms",
      SLUICE_WEBHOOK_PRIVATE: "allow",
      SLUICE_METRICS_PORT: "off",
    },
    stdio: ["ignore", "ignore", "inherit"],
  });
  children.push(child);
  return child;
}
