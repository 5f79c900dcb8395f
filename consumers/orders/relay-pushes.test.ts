// Outcomes go back through a region in which the gateway can receive them.
import { expect, test } from "bun:test";
import { VirtualRuntime } from "../../core/runtime/testing.ts";
import { type RegionLink, Relay } from "./relay.ts";

interface Pushed {
  readonly region: string;
  readonly body: string;
}

function rig() {
  const runtime = new VirtualRuntime();
  const pushed: Pushed[] = [];
  const ready = { eu: true, us: true };
  /** Where the gateways have a queue. */
  const queues = { eu: true, us: true };
  const link = (region: "eu" | "us") => {
    const publisher = {
      get ready() {
        return ready[region];
      },
      onReturned: undefined as ((queue: string, body: string) => void) | undefined,
      push: (queue: string, body: string, returns = false) => {
        if (!ready[region]) return;
        if (queues[region]) pushed.push({ region, body });
        else if (returns) runtime.nextTurn(() => publisher.onReturned?.(queue, body));
      },
    };
    return { connection: { region }, publisher } as unknown as RegionLink;
  };
  const relay = new Relay({
    ...{ runtime, regions: [link("eu"), link("us")], retryDelaysMs: [], now: () => 0 },
    ledger: { followUps: async () => [] },
    writer: { followUpsDone: async () => undefined },
  });
  /** The regions through which a push arrives. */
  const ways = async (push: () => void) => {
    pushed.splice(0);
    push();
    await runtime.advance(10);
    return pushed.map(({ region }) => region);
  };
  const release = (gateway: string) =>
    ways(() => relay.pushLater([{ gateway, user: "ann", id: "id", state: "reserved" }]));
  const decide = (region: string) => ways(() => relay.pushOutcomes(region, "eu.g", "b1", "parked"));
  return { runtime, ready, queues, release, decide };
}

test("a later state goes through the region of the gateway's last message", async () => {
  const { decide, release } = rig();
  await decide("eu");
  expect(await release("eu.g")).toEqual(["eu"]);
  await decide("us");
  expect(await release("eu.g")).toEqual(["us"]);
});

test("it goes through every region while that one is unknown, away or long ago", async () => {
  const { runtime, decide, ready, release } = rig();
  expect(await release("eu.g")).toEqual(["eu", "us"]);
  await decide("eu");
  await runtime.advance(60_000);
  expect(await release("eu.g")).toEqual(["eu", "us"]);
  await decide("eu");
  ready.eu = false;
  expect(await release("eu.g")).toEqual(["us"]);
});

test("outcomes of a region whose broker accepts nothing go through the other one", async () => {
  const { decide, ready } = rig();
  expect(await decide("eu")).toEqual(["eu"]);
  ready.eu = false;
  expect(await decide("eu")).toEqual(["us"]);
});

test("a gateway that has lost a region's broker receives through the other one", async () => {
  const { decide, queues, release } = rig();
  queues.eu = false;
  expect(await decide("eu")).toEqual(["us"]);
  expect(await release("eu.g")).toEqual(["us"]);
});

test("a gateway that is gone gets each push once per region", async () => {
  const { decide, queues } = rig();
  queues.eu = false;
  queues.us = false;
  expect(await decide("eu")).toEqual([]);
});
