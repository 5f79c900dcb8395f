import { expect, test } from "bun:test";
import { Findings } from "../findings.ts";
import { checkRest } from "./rest.ts";

test("what the system still waits for is in good English, also where it is one", () => {
  const findings = new Findings();
  const ofOne = {
    queues: [{ region: "eu", queue: "payments", ready: 1, dead: false }],
    shards: [{ shard: 3, outbox: 1, parked: 1, mostParked: 1 }],
    ...{ followUpsOpen: 1, chargesOpen: 1, partsOpen: 1 },
  };
  checkRest(ofOne, findings);
  expect(findings.undrained).toEqual([
    "1 message in payments of eu",
    "1 entry in the outbox of shard 3",
    "orders or numbers parked in shard 3: 1",
    "charges or refunds under way: 1",
    "parts of paid orders under way: 1",
    "1 follow-up not yet confirmed",
  ]);
});
