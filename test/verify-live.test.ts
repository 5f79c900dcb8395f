// The proof beside a system that runs: it says nothing false, whatever moves while it looks.
import { afterEach, expect, test } from "bun:test";
import { drain } from "../ops/demo/drain.ts";
import { providerRecord } from "../ops/verify/provider.ts";
import { type Verdict, verify } from "../ops/verify/verify.ts";
import { openViews } from "../ops/verify/views.ts";
import { startRushSystem } from "./rush-system.ts";

const ORDERS = 6_000;
/** Looks at least, whatever the load. */
const LOOKS = 12;
const TIMEOUT_MS = 240_000;
const SHARES = "decline=0.1,error_after=0.05,timeout_after=0.02,slow=0.1,pending=0.05,late=0.01";

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
}, TIMEOUT_MS);

test(
  "beside a live load with charges and cancels every look is free of violations, and the last one passes",
  async () => {
    const env = { SLUICE_PROVIDER_TIMEOUT: "1s" };
    const system = await startRushSystem({ orders: ORDERS, env, shares: SHARES, cleanUps });
    const { settings, provider, historyPath, history, tally } = system;
    const views = await openViews(settings);
    cleanUps.push(() => views.close());
    const look = (partial: boolean): Promise<Verdict> =>
      verify({
        ...{ ledgerUrl: settings.ledgerUrl, history: [historyPath], partial, rules: settings },
        ...views,
        provider: providerRecord(provider.url, ""),
      });
    const rush = await system.rush();
    let answered = false;
    void rush.answered.then(() => {
      answered = true;
    });
    const verdicts: Verdict[] = [];
    for (let beside = 0; !answered || verdicts.length < LOOKS; ) {
      verdicts.push(await look(true));
      if (!answered) beside++;
      if (answered && beside === 0) throw new Error("the load was over before the first look");
    }
    expect(verdicts.flatMap((verdict) => verdict.violations)).toEqual([]);
    expect(verdicts.filter(({ result }) => result === "inconclusive").length).toBeGreaterThan(3);
    await drain(settings.ledgerUrl, views, { orders: tally.accepted, timeoutMs: TIMEOUT_MS / 2 });
    rush.close();
    await history.close();
    expect(await look(false)).toMatchObject({ result: "pass", violations: [], undrained: [] });
  },
  TIMEOUT_MS,
);
