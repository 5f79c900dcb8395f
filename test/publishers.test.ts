// A broker with one user per role: each can do its work and nothing else, and a foreign message
// becomes a dead letter (I1, I6, I7).
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { ChannelModel } from "amqplib";
import { accountsOf } from "../broker/accounts.ts";
import { depth, mayWrite } from "../broker/inspect.ts";
import {
  CLAIMS_EXCHANGE,
  FULFILMENT_EXCHANGE,
  ORDERS_DEAD,
  ORDERS_EXCHANGE,
  ordersKey,
} from "../broker/topology.ts";
import { checkAccount } from "../cli/doctor/accounts.ts";
import { makeLog } from "../cli/log.ts";
import { startFulfil } from "../cli/roles/fulfil.ts";
import { openRegion } from "../cli/roles/parts.ts";
import type { RegionLink } from "../consumers/orders/relay.ts";
import { messageText } from "../core/domain/message.ts";
import type { PartWord } from "../core/domain/part.ts";
import { answerRow, cancelRow, partRow, type Row } from "../core/domain/row.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { readSettings } from "../core/settings/settings.ts";
import { type PrivateRabbit, startRabbit } from "../services/rabbitmq.ts";
import { inProcess } from "./in-process.ts";
import { testDir } from "./services.ts";
import { makeOrder, Stack, userOf } from "./stack.ts";

const SLOW_MS = 120_000;
const SERVICES = ["depot", "rogue"];
let rabbit: PrivateRabbit;
let stack: Stack;
const links = new Map<string, RegionLink>();

beforeAll(async () => {
  rabbit = await startRabbit(testDir("accounts"), {
    vhosts: ["eu"],
    accounts: accountsOf(SERVICES),
  });
  stack = await Stack.start({
    env: {
      SLUICE_REGIONS: `eu=${rabbit.url("eu", "worker")}`,
      SLUICE_PUBLISHERS: "gateway=gateway,payments=payments,operator=operator,service-*=service",
    },
  });
  await stack.sale({ a: 100 });
  const { worker } = await stack.worker("w1");
  await stack.until("all shards owned", () => worker.shards.length === 2);
  for (const user of ["gateway", "payments", "rates", "operator", "service-depot", "service-rogue"])
    links.set(user, await connect(user));
}, SLOW_MS);
afterAll(async () => {
  for (const { connection } of links.values()) await connection.close();
  await stack?.stop();
  await rabbit?.kill();
});

const settingsOf = (user: string) =>
  readSettings({ ...stack.env, SLUICE_REGIONS: `eu=${rabbit.url("eu", user)}` });

async function connect(user: string): Promise<RegionLink> {
  const settings = settingsOf(user);
  return openRegion(
    realRuntime,
    { name: "eu", url: rabbit.url("eu", user) },
    settings,
    () => undefined,
  );
}

async function send(user: string, rows: readonly Row[], exchange = ORDERS_EXCHANGE) {
  const { publisher, connection } = links.get(user) as RegionLink;
  await connection.untilUp();
  return publisher.publish(exchange, ordersKey(0), Buffer.from(messageText(rows)), {
    messageId: crypto.randomUUID(),
    appId: user,
  });
}

/** Reasons of the current dead letters, once this many have arrived. */
async function deadReasons(count: number): Promise<string[]> {
  const { connection } = links.get("operator") as RegionLink;
  const channel = await (connection.model as ChannelModel).createChannel();
  const reasons: string[] = [];
  await stack.until(`${count} dead letters`, async () => {
    const letter = await channel.get(ORDERS_DEAD, { noAck: true });
    if (letter) reasons.push(String(letter.properties.headers?.["x-reason"]));
    return reasons.length >= count;
  });
  await channel.close();
  return reasons;
}

const part = (user: string, id: string, service: string, word: PartWord = "claim") =>
  partRow({ user, id, generation: 1, part: 1, of: 1 }, word, service, Date.now());

async function reserved(): Promise<{ user: string; id: string }> {
  const user = userOf(0);
  const { order, row } = makeOrder(user, { a: 1 });
  expect(await send("gateway", [row])).toBe("confirmed");
  expect((await stack.decided(user, order.id)).state).toBe("reserved");
  return { user, id: order.id };
}

test(
  "each role's user may write where its work is, and nowhere else",
  async () => {
    const may: Record<string, readonly string[]> = {
      gateway: [ORDERS_EXCHANGE, CLAIMS_EXCHANGE],
      payments: [ORDERS_EXCHANGE, ""],
      "service-depot": [CLAIMS_EXCHANGE],
      rates: [""],
      operator: [ORDERS_EXCHANGE, CLAIMS_EXCHANGE, FULFILMENT_EXCHANGE, ""],
    };
    for (const [user, exchanges] of Object.entries(may)) {
      for (const exchange of [ORDERS_EXCHANGE, CLAIMS_EXCHANGE, ""]) {
        const { connection } = links.get(user) as RegionLink;
        const expected = [user, exchange, exchanges.includes(exchange)];
        expect([user, exchange, await mayWrite(connection, exchange)]).toEqual(expected);
      }
    }
  },
  SLOW_MS,
);

test(
  "with a user per role an order is paid, claimed and dispatched",
  async () => {
    await stack.route("c", "depot");
    const role = await startFulfil(
      realRuntime,
      settingsOf("service-depot"),
      "depot",
      makeLog("depot", () => {}),
      {
        service: "depot",
        file: `${testDir("packed")}/depot.db`,
        workMs: 0,
      },
    );
    const { user, id } = await reserved();
    const captured = answerRow({ user, id, generation: 1, attempt: 1 }, "captured", "", Date.now());
    expect(await send("payments", [captured])).toBe("confirmed");
    await stack.becomes(user, id, "dispatched");
    await role.stop();
  },
  SLOW_MS,
);

test(
  "an operator routes a category to a service that never ran: the worker declares its queue",
  async () => {
    const { connection } = links.get("operator") as RegionLink;
    const env = { ...stack.env, SLUICE_REGIONS: `eu=${rabbit.url("eu", "operator")}` };
    const printed = await inProcess(env, "routes", "set", "paper", "printer", "--new");
    expect(printed).toContain("paper goes to printer");
    const queue = async () => (await depth(connection, "fulfilment.printer")) !== undefined;
    await stack.until("the service's queue", queue);
  },
  SLOW_MS,
);

test(
  "an operator sends the parts of a service that does not run to another one",
  async () => {
    const env = { ...stack.env, SLUICE_REGIONS: `eu=${rabbit.url("eu", "operator")}` };
    expect(await inProcess(env, "routes", "drain", "cobbler")).toBe("nothing waits for cobbler\n");
    await stack.route("c", "cobbler");
    const { user, id } = await reserved();
    const captured = answerRow({ user, id, generation: 1, attempt: 1 }, "captured", "", Date.now());
    expect(await send("payments", [captured])).toBe("confirmed");
    await stack.becomes(user, id, "paid");
    const { connection } = links.get("operator") as RegionLink;
    const waiting = async (service: string) =>
      (await depth(connection, `fulfilment.${service}`))?.ready;
    await stack.until("its part", async () => (await waiting("cobbler")) === 1);
    expect(await inProcess(env, "routes", "drain", "cobbler")).toContain(
      "1 message of cobbler left",
    );
    await inProcess(env, "routes", "set", "c", "tailor", "--new");
    // At once: it waits for the worker, which brings the new route to the broker.
    expect(await inProcess(env, "routes", "drain", "cobbler")).toContain("1 message sent on");
    await stack.until("its part", async () => (await waiting("tailor")) === 1);
  },
  SLOW_MS,
);

test(
  "a hostile service's messages have no effect, and each becomes a dead letter with a reason",
  async () => {
    const { user, id } = await reserved();
    await stack.route("c", "rogue");
    const paid = answerRow({ user, id, generation: 1, attempt: 1 }, "captured", "", Date.now());
    const { order, row } = makeOrder(user, { a: 1 });
    const elsewhere = part(userOf(1), id, "rogue");
    const rogue = "service-rogue";
    const foreign = [paid, row, part(user, id, "depot"), elsewhere, cancelRow(user, id, 1)];
    for (const one of foreign) expect(await send(rogue, [one], CLAIMS_EXCHANGE)).toBe("confirmed");
    expect(await send("payments", [row])).toBe("confirmed");
    expect(await send("gateway", [part(user, id, "depot", "done")])).toBe("confirmed");
    const reasons = await deadReasons(7);
    expect(reasons.map((reason) => reason.replace("1 of 1 rows: ", ""))).toEqual([
      "its publisher may not send such a row",
      "its publisher may not send such a row",
      "a service may not report for another one",
      "its user belongs to another shard",
      "its publisher may not send such a row",
      "its publisher may not send such a row",
      "its publisher may not send such a row",
    ]);
    expect((await stack.ledger.order(user, id))?.state).toBe("reserved");
    expect(await stack.ledger.order(user, order.id)).toBeUndefined();
  },
  SLOW_MS,
);

test(
  "no user can publish under another's name",
  async () => {
    const { connection } = links.get("service-rogue") as RegionLink;
    await connection.untilUp();
    const channel = await (connection.model as ChannelModel).createConfirmChannel();
    const closed = new Promise<string>((resolve) =>
      channel.on("error", (error: Error) => resolve(error.message)),
    );
    channel.publish(CLAIMS_EXCHANGE, "0", Buffer.from("[]"), { userId: "service-depot" });
    expect(await closed).toMatch(/user_id/);
  },
  SLOW_MS,
);

test(
  "the doctor names a user that all roles share, and one with more permissions than it needs",
  async () => {
    const look = async (user: string, permissions?: string) => {
      if (permissions)
        await rabbit.ctl("set_permissions", "-p", "eu", user, "^$", permissions, ".*");
      const connection = await connect(user);
      const found = await checkAccount(connection.connection, readSettings({}));
      await connection.connection.close();
      return found.map(({ state, detail }) => `${state}: ${detail}`);
    };
    expect(await look("rates")).toEqual(["ok: user 'rates' may do its own work and nothing else"]);
    expect(await look("rates", ".*")).toEqual([
      "warn: user 'rates' may write to 'orders' and write to 'claims', which it does not need",
    ]);
    await rabbit.ctl("add_user", "shop", "word");
    await rabbit.ctl("set_permissions", "-p", "eu", "shop", ".*", ".*", ".*");
    const url = rabbit.url("eu").replace(/\/\/[^@]*@/, "//shop:word@");
    const { connection } = await openRegion(
      realRuntime,
      { name: "eu", url },
      stack.settings,
      () => undefined,
    );
    const [finding] = await checkAccount(connection, readSettings({}));
    await connection.close();
    expect(finding).toMatchObject({ state: "warn", detail: expect.stringMatching(/'shop'/) });
  },
  SLOW_MS,
);
