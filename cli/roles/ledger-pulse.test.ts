import { expect, test } from "bun:test";
import { VirtualRuntime } from "../../core/runtime/testing.ts";
import { LedgerPulse } from "./ledger-pulse.ts";

test("a gateway logs once that its ledger is away, and once that it is back", async () => {
  const runtime = new VirtualRuntime();
  const logged: [string, unknown][] = [];
  let answer: () => Promise<never[]> = () => Promise.reject(new Error("Failed to connect"));
  const ledger = { positions: () => answer() };
  const pulse = new LedgerPulse(runtime, ledger, (event, detail) => logged.push([event, detail]));
  await runtime.advance(6_000);
  expect(pulse.state).toBe("away");
  answer = () => Promise.resolve([]);
  await runtime.advance(4_000);
  expect(pulse.state).toBe("up");
  answer = () => new Promise(() => undefined);
  await runtime.advance(4_000);
  expect(pulse.state).toBe("away");
  pulse.stop();
  expect(logged).toEqual([
    ["ledger away", { error: "Failed to connect" }],
    ["ledger back", { afterMs: 6_000 }],
    ["ledger away", { error: expect.any(String) }],
  ]);
});
