// verify on a running system: it reports nothing false, whatever changes while it reads.
import { afterEach, expect, test } from "bun:test";
import { drain } from "../proof/demo/drain.ts";
import type { Rush } from "../proof/load/rush.ts";
import { providerRecord } from "../proof/verify/provider.ts";
import { type Verdict, verify } from "../proof/verify/verify.ts";
import { openViews } from "../proof/verify/views.ts";
import { startRushSystem } from "./rush-system.ts";

const ORDERS = 6_000;
/** The load is split into this many parts, so that one runs during each check. */
const LOOKS = 12;
const TIMEOUT_MS = 240_000;
const SHARES = "decline=0.1,error_after=0.05,timeout_after=0.02,slow=0.1,pending=0.05,late=0.01";

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
}, TIMEOUT_MS);

test(
  "under live load every check is free of violations, and the last one passes",
  async () => {
    const env = { SLUICE_PROVIDER_TIMEOUT: "1s" };
    const system = await startRushSystem({ orders: ORDERS, env, shares: SHARES, cleanUps });
    const { settings, provider, plan, historyPath, history, tally } = system;
    const views = await openViews(settings);
    cleanUps.push(() => views.close());
    const look = (partial: boolean): Promise<Verdict> =>
      verify({
        ...{ ledgerUrl: settings.ledgerUrl, history: [historyPath], partial, rules: settings },
        ...views,
        provider: providerRecord(provider.url, ""),
      });
    const verdicts: Verdict[] = [];
    const rushes: Rush[] = [];
    const share = Math.ceil(plan.steps.length / LOOKS);
    for (let from = 0; from < plan.steps.length; from += share) {
      const rush = await system.rush(plan.steps.slice(from, from + share));
      rushes.push(rush);
      verdicts.push(await look(true));
      await rush.answered;
    }
    expect(verdicts).toHaveLength(LOOKS);
    expect(verdicts.flatMap((verdict) => verdict.violations)).toEqual([]);
    expect(verdicts.filter(({ result }) => result === "inconclusive").length).toBeGreaterThan(3);
    await drain(settings.ledgerUrl, views, { orders: tally.accepted, timeoutMs: TIMEOUT_MS / 2 });
    for (const rush of rushes) rush.close();
    await history.close();
    expect(await look(false)).toMatchObject({ result: "pass", violations: [], undrained: [] });
  },
  TIMEOUT_MS,
);
