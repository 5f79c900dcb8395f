// The checker passes with every rule in place, after a crash too, and finds what a crash loses.
import { expect, test } from "bun:test";
import { endAfterEach, found, ORDERS, runWith, TIMEOUT_MS } from "./mutation.ts";

endAfterEach();

test(
  "with every rule in place the rush passes",
  async () => {
    const verdict = await runWith({});
    expect(verdict.violations).toEqual([]);
    expect(verdict.undrained).toEqual([]);
    expect(verdict.counts).toMatchObject({
      orders: ORDERS,
      accepted: ORDERS,
      decided: ORDERS,
      ledgered: ORDERS,
    });
  },
  TIMEOUT_MS,
);

test(
  "with gateways that refuse sold-out items it passes too, and refused orders leave no trace",
  async () => {
    const verdict = await runWith({ soldOutAtGate: "yes" });
    expect(verdict.violations).toEqual([]);
    expect(verdict.undrained).toEqual([]);
    const { orders, accepted, decided, ledgered } = verdict.counts;
    expect([orders, decided, ledgered]).toEqual([ORDERS, accepted, accepted]);
    // Every order not accepted was refused as sold out; how many depends on how fast the stock
    // went.
    expect(ORDERS - accepted).toBeLessThanOrEqual(verdict.answers.get("409 sold_out") ?? 0);
    expect(accepted).toBeGreaterThan(ORDERS / 4);
  },
  TIMEOUT_MS,
);

test(
  "with early acknowledgement, a crash that also wipes Redis loses orders, and it finds them",
  async () => {
    const verdict = await runWith({ crashing: "slow-ledger,early-ack" });
    expect(verdict.result).toBe("violations");
    expect(found(verdict)).toContain("I1 an accepted order is not in the ledger");
  },
  TIMEOUT_MS,
);

test(
  "with acknowledgement after the commit the same crash loses nothing",
  async () => {
    const verdict = await runWith({ crashing: "slow-ledger" });
    expect(verdict.violations).toEqual([]);
    expect(verdict.result).toBe("pass");
  },
  TIMEOUT_MS,
);
