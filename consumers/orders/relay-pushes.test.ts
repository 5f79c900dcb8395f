// Outcomes go back through the region in which a gateway publishes.
import { expect, test } from "bun:test";
import { VirtualRuntime } from "../../core/runtime/testing.ts";
import { type RegionLink, Relay } from "./relay.ts";

function rig() {
  const runtime = new VirtualRuntime();
  const pushed: { region: string; queue: string; body: string }[] = [];
  const ready = { eu: true, us: true };
  const link = (region: "eu" | "us") =>
    ({
      connection: { region },
      publisher: {
        get ready() {
          return ready[region];
        },
        push: (queue: string, body: string) => pushed.push({ region, queue, body }),
      },
    }) as unknown as RegionLink;
  const relay = new Relay({
    ...{ runtime, regions: [link("eu"), link("us")], retryDelaysMs: [], now: () => 0 },
    ledger: { followUps: async () => [] },
    writer: { followUpsDone: async () => undefined },
  });
  const release = async (gateway: string) => {
    pushed.splice(0);
    relay.tellReleased([[gateway, "ann", "id", "reserved"]]);
    await runtime.advance(1);
    return pushed.map(({ region }) => region);
  };
  return { relay, ready, release };
}

test("a later state goes through the region of the gateway's last message", async () => {
  const { relay, release } = rig();
  relay.tell("eu", "eu.g", "b1", "parked");
  expect(await release("eu.g")).toEqual(["eu"]);
  relay.tell("us", "eu.g", "b2", "parked");
  expect(await release("eu.g")).toEqual(["us"]);
});

test("it goes through every region while that one is unknown or away", async () => {
  const { relay, ready, release } = rig();
  expect(await release("eu.g")).toEqual(["eu", "us"]);
  relay.tell("eu", "eu.g", "b1", "parked");
  ready.eu = false;
  expect(await release("eu.g")).toEqual(["eu", "us"]);
});
