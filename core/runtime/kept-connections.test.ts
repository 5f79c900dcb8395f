import { expect, test } from "bun:test";
import { KeptConnections } from "./kept-connections.ts";
import { VirtualRuntime } from "./testing.ts";

test("after three unanswered calls in a row, kept connections rest until they are gone", () => {
  const runtime = new VirtualRuntime();
  const kept = new KeptConnections(runtime);
  kept.unanswered();
  kept.unanswered();
  kept.answered();
  kept.unanswered();
  kept.unanswered();
  expect(kept.usable).toBe(true);
  kept.unanswered();
  expect(kept.usable).toBe(false);
  kept.answered(); // on a connection of its own: it says nothing about the kept ones
  runtime.pass(6 * 60_000 - 1);
  expect(kept.usable).toBe(false);
  runtime.pass(1);
  expect(kept.usable).toBe(true);
});
