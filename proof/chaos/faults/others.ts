// External systems misbehave: the payment provider and the source of exchange rates.
import { between, type Fault, type Injected, oneOf } from "../fault.ts";
import type { ChaosSystem } from "../system.ts";
import { until } from "../within.ts";

const RECOVERY_MS = 15_000;
const SHOWN_MS = 30_000;
const RESERVED = "orders stay `reserved` longer; some end as `payment_failed`";
const CALLS = "sluice_provider_call_seconds_count";
const ANSWERS = "sluice_payment_answers_total";

export const OTHERS_FAULTS: readonly Fault[] = [
  {
    name: "provider-down",
    what: "The payment provider answers every call with 503 for 5 to 20 s.",
    seen: "orders stay `reserved` until the provider is back",
    touches: ["provider"],
    recoveryMs: RECOVERY_MS,
    inject: outage,
  },
  misbehaving(
    "provider-lying",
    "Half of the provider's answers are not true: pages, redirects, other keys, other amounts.",
    "html200=0.1,redirect=0.1,wrong_key=0.1,wrong_amount=0.1,declined200=0.1",
  ),
  misbehaving(
    "provider-late",
    "Half of the provider's answers come late, never, or only as a webhook.",
    "slow=0.2,timeout_after=0.1,timeout_before=0.1,pending=0.1,late=0.05",
  ),
  misbehaving(
    "provider-refuses-refunds",
    "The provider fails, postpones or contradicts half of the refunds.",
    "refund_conflict=0.2,refund_error=0.2,refund_pending=0.1",
  ),
  {
    name: "rates-stopped",
    what: "No new exchange rates for longer than a rate may be used.",
    seen: "orders in other currencies wait, and become `fx_unavailable`",
    touches: ["rates"],
    recoveryMs: RECOVERY_MS,
    inject: stopRates,
  },
  {
    name: "rates-absurd",
    what:
      "The source of rates sends pages, negative and endless numbers, or a thousand times too " +
      "much.",
    seen: "nothing, as long as the last good rates are young enough",
    touches: ["rates"],
    recoveryMs: RECOVERY_MS,
    inject: absurdRates,
  },
];

async function outage(system: ChaosSystem, random: () => number): Promise<Injected> {
  const lastsMs = between(random, 5_000, 20_000);
  const before = await system.metric("payments", ANSWERS);
  await system.provider.outage(true);
  return {
    lastsMs,
    detail: `503 for ${(lastsMs / 1_000).toFixed(1)} s`,
    evidence: async () => {
      const response = await fetch(`${system.provider.url}/v1/charges`, { method: "POST" });
      if (response.status !== 503) throw new Error(`the provider answers ${response.status}`);
      const answered = (await system.metric("payments", ANSWERS)) - before;
      return `a call got 503; ${answered} charges had their answer since`;
    },
    heal: () => system.provider.outage(false),
  };
}

function misbehaving(name: string, what: string, shares: string): Fault {
  return {
    ...{ name, what, seen: RESERVED, touches: ["provider"], recoveryMs: RECOVERY_MS },
    inject: async (system, random) => {
      const lastsMs = between(random, 5_000, 15_000);
      const before = await system.metric("payments", CALLS);
      await system.provider.misbehave(shares);
      return {
        lastsMs,
        detail: `${shares} for ${(lastsMs / 1_000).toFixed(1)} s`,
        evidence: async () => {
          const calls = await until(
            "the provider is called",
            async () => {
              const more = (await system.metric("payments", CALLS)) - before;
              return more >= 20 && more;
            },
            SHOWN_MS,
          );
          return `${calls} calls under these shares`;
        },
        heal: () => system.provider.misbehave(),
      };
    },
  };
}

async function stopRates(system: ChaosSystem, random: () => number): Promise<Injected> {
  const lastsMs = system.rateMaxAgeMs + between(random, 8_000, 14_000);
  const name = 'sluice_orders_decided_total{outcome="fx_unavailable"';
  const before = await system.metric("worker", name);
  const role = oneOf(random, system.rolesOf("rates"));
  await role.kill();
  return {
    lastsMs,
    detail: `no rates for ${(lastsMs / 1_000).toFixed(1)} s`,
    evidence: async () => {
      const count = await until(
        "orders without a rate",
        async () => {
          const more = (await system.metric("worker", name)) - before;
          return more > 0 && more; // fewer: a restarted worker counts from zero
        },
        lastsMs + SHOWN_MS,
      );
      return `${count} orders became fx_unavailable`;
    },
    heal: () => role.start(),
  };
}

async function absurdRates(system: ChaosSystem, random: () => number): Promise<Injected> {
  const lastsMs = between(random, 3_000, 6_000);
  const noticed = async () => {
    const counts = await Promise.all([
      eventCount(system, "worker", "rate refused"),
      eventCount(system, "worker", "rate held"),
      eventCount(system, "rates", "no rates"),
    ]);
    return counts.reduce((sum, count) => sum + count, 0);
  };
  const before = await noticed();
  const text = oneOf(random, ABSURD);
  system.rates.publish(text);
  return {
    lastsMs,
    detail: text.slice(0, 60),
    evidence: async () => {
      await until("somebody refuses them", async () => (await noticed()) > before, SHOWN_MS);
      return `refused ${(await noticed()) - before} times`;
    },
    heal: async () => system.rates.publish(undefined),
  };
}

async function eventCount(
  system: ChaosSystem,
  kind: "worker" | "rates",
  event: string,
): Promise<number> {
  const found = await Promise.all(system.rolesOf(kind).map((role) => role.events(event)));
  return found.flat().length;
}

const ABSURD = [
  "<html>maintenance</html>",
  '{"base":"EUR","rates":{"USD":-1,"JPY":"0","GBP":"0.85","KWD":"0.33"}}',
  '{"base":"EUR","rates":{"USD":"1e99","JPY":"163","GBP":"NaN","KWD":"0.33"}}',
  '{"base":"EUR","rates":{"USD":"1080","JPY":"163000","GBP":"850","KWD":"330"}}',
  '{"base":"EUR","rates":{"USD":"0.00108","JPY":"0.163","GBP":"0.00085","KWD":"0.00033"}}',
];
