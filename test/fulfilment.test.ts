// Paid orders reach the services: real broker, payment worker and services, and routes that change
// meanwhile.
import { afterEach, expect, test } from "bun:test";
import { type Part, partKey } from "../core/domain/part.ts";
import { cancelRow } from "../core/domain/row.ts";
import { readPackingList } from "../stubs/fulfil/packing-list.ts";
import { testDir } from "./services.ts";
import { makeOrder, Stack, userOf } from "./stack.ts";

const TIMEOUT_MS = 60_000;
let stack: Stack;
afterEach(async () => stack?.stop(), TIMEOUT_MS);

async function start(regions: readonly string[] = ["eu"]): Promise<void> {
  stack = await Stack.start({ regions });
  await stack.sale(
    { radio: 500, lamp: 500, book: 500 },
    { categories: { radio: "audio", lamp: "home", book: "books" } },
  );
  await stack.worker("w1");
  await stack.payments();
}

async function order(
  lines: Record<string, number>,
  n = 0,
  region = 0,
): Promise<{ user: string; id: string }> {
  const { order: made, row } = makeOrder(userOf(n % 2, n), lines);
  await stack.publish(n % 2, [row], region, `${region === 0 ? "eu" : "us"}.gateway`);
  return made;
}

const packed = (file: string) => readPackingList(file).map((p) => p.key);
const key = ({ user, id }: { user: string; id: string }, part = 1) =>
  partKey({ user, id, generation: 1, part });

test(
  "an order goes in one part per service and is dispatched when all are done",
  async () => {
    await start();
    for (const [category, service] of [
      ["audio", "east"],
      ["books", "east"],
      ["home", "west"],
    ] as const)
      await stack.route(category, service);
    const [east, west] = [await stack.fulfil("east"), await stack.fulfil("west")];
    const made = await order({ radio: 1, lamp: 2, book: 3 });
    await stack.becomes(made.user, made.id, "dispatched");
    expect(readPackingList(east.file)).toEqual([
      {
        key: key(made),
        lines: JSON.stringify([
          { sku: "radio", qty: 1, category: "audio" },
          { sku: "book", qty: 3, category: "books" },
        ]),
      },
    ]);
    expect(packed(west.file)).toEqual([key(made, 2)]);
    expect((await stack.ledger.events(made.user, made.id)).map((e) => e.event).sort()).toEqual([
      "claimed",
      "claimed",
      "dispatched",
      "done",
      "done",
      "paid",
    ]);
  },
  TIMEOUT_MS,
);

test(
  "parts without a route wait until there is one; a changed route applies to the next orders",
  async () => {
    await start();
    const [east, west] = [await stack.fulfil("east"), await stack.fulfil("west")];
    const first = await order({ radio: 1 });
    await stack.becomes(first.user, first.id, "paid");
    expect(packed(east.file)).toEqual([]);
    await stack.route("audio", "east");
    await stack.becomes(first.user, first.id, "dispatched");
    expect(packed(east.file)).toEqual([key(first)]);
    await stack.route("audio", "west");
    const second = await order({ radio: 1 }, 1);
    await stack.becomes(second.user, second.id, "dispatched");
    expect([packed(east.file), packed(west.file)]).toEqual([[key(first)], [key(second)]]);
    await stack.route("audio", "");
    const third = await order({ radio: 1 }, 2);
    await stack.becomes(third.user, third.id, "paid");
    await Bun.sleep(300);
    expect((await stack.ledger.order(third.user, third.id))?.state).toBe("paid");
    expect(await stack.take("fulfilment.unrouted", 1)).toMatchObject([[{ id: third.id }]]);
  },
  TIMEOUT_MS,
);

test(
  "routes change while orders arrive: every part is done once, by the service that claimed it",
  async () => {
    await start();
    const [east, west] = [await stack.fulfil("east"), await stack.fulfil("west")];
    await stack.route("audio", "east");
    const made: { user: string; id: string }[] = [];
    const changes = (async () => {
      for (const service of ["west", "", "east", "west", "", "east"])
        await stack.route("audio", service);
    })();
    for (let i = 0; i < 150; i++) {
      made.push(await order({ radio: 1 }, i));
      await Bun.sleep(5);
    }
    await changes;
    for (const { user, id } of made) await stack.becomes(user, id, "dispatched");
    const all = [...packed(east.file), ...packed(west.file)];
    expect(all.toSorted()).toEqual(made.map((m) => key(m)).toSorted());
    expect(packed(west.file).length).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);

test(
  "a region's own route gets its orders, the general route gets the others'",
  async () => {
    await start(["eu", "us"]);
    await stack.route("audio", "world");
    await stack.route("audio", "america", "us");
    const [world, america] = [await stack.fulfil("world"), await stack.fulfil("america")];
    const [eu, us] = [await order({ radio: 1 }, 0, 0), await order({ radio: 1 }, 1, 1)];
    for (const { user, id } of [eu, us]) await stack.becomes(user, id, "dispatched");
    expect([packed(world.file), packed(america.file)]).toEqual([[key(eu)], [key(us)]]);
  },
  TIMEOUT_MS,
);

test(
  "a service killed at work: another of its processes continues, and nothing is packed twice",
  async () => {
    await start();
    await stack.route("audio", "east");
    const file = `${testDir("packed")}/east.db`;
    const doomed = stack.spawn(["fulfil", "--service", "east", "--file", file, "--work", "100"]);
    const made: { user: string; id: string }[] = [];
    for (let i = 0; i < 60; i++) made.push(await order({ radio: 1 }, i));
    await stack.until("some to be claimed", async () => {
      const states = await Promise.all(
        made.map(async (m) => (await stack.ledger.events(m.user, m.id)).map((e) => e.event)),
      );
      return states.some((events) => events.includes("claimed"));
    });
    await doomed.kill();
    await stack.fulfil("east", file);
    for (const { user, id } of made) await stack.becomes(user, id, "dispatched");
    expect(packed(file)).toEqual(made.map((m) => key(m)).toSorted());
  },
  TIMEOUT_MS,
);

test(
  "no service packs an order that was cancelled after payment and before a claim",
  async () => {
    await start();
    await stack.route("audio", "east");
    const cancelled = await order({ radio: 1 }, 0);
    await stack.becomes(cancelled.user, cancelled.id, "paid");
    await stack.publish(0, [cancelRow(cancelled.user, cancelled.id, Date.now())]);
    await stack.becomes(cancelled.user, cancelled.id, "cancelled");
    const east = await stack.fulfil("east");
    const kept = await order({ radio: 1 }, 2);
    await stack.becomes(kept.user, kept.id, "dispatched");
    expect(packed(east.file)).toEqual([key(kept)]);
  },
  TIMEOUT_MS,
);

test(
  "garbage in a service's queue moves to fulfilment.unrouted with a reason; other parts continue",
  async () => {
    await start();
    await stack.route("audio", "east");
    const link = stack.links[0];
    const bad: Partial<Part> = { user: "u", id: "x", part: 2, of: 1 };
    for (const text of ["not json", "{}", JSON.stringify([bad])])
      expect(await link?.publisher.publish("fulfilment", "eu.audio", Buffer.from(text))).toBe(
        "confirmed",
      );
    await stack.fulfil("east");
    const made = await order({ radio: 1 });
    await stack.becomes(made.user, made.id, "dispatched");
    const { depth } = await import("../broker/inspect.ts");
    await stack.until(
      "three letters",
      async () => (await depth(link?.connection as never, "fulfilment.unrouted"))?.ready === 3,
    );
  },
  TIMEOUT_MS,
);
