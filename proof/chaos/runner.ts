// Runs one scenario: load, bursts of faults with evidence, recovery, drain, and the verdict.
//
// 1. Whatever a fault does, it is healed, and every role and store runs again before the drain.
// 2. Each wait has an end: inject, evidence, heal, recovery, answers and drain.
// 3. All draws of burst n come from the scenario's seed and n, so that timing does not change them.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { type HistoryEnd, HistoryFile } from "../history-file.ts";
import { makePlan } from "../load/plan.ts";
import { type Rush, startRush } from "../load/rush.ts";
import { Bursts } from "./bursts.ts";
import { earlierRelease } from "./earlier.ts";
import { FlowHistory } from "./flow.ts";
import { type Judgement, judge } from "./judge.ts";
import { LiveSystem } from "./live.ts";
import { needs, ONCE, type Scenario, type ScenarioOptions, type Struck } from "./scenario.ts";
import { settled } from "./within.ts";

export interface ScenarioResult extends Judgement {
  readonly name: string;
  readonly seed: number;
  readonly perSecond: number;
  readonly dir: string;
  /** RFC 3339. */
  readonly startedAt: string;
  /** The machine's load average over a minute: the mean over the bursts, and the most. */
  readonly load: { readonly mean: number; readonly most: number };
  readonly struck: readonly Struck[];
  readonly seconds: number;
  readonly accepted: number;
  readonly answers: Readonly<Record<string, number>>;
  /** What went wrong besides: an error of the runner, roles that did not start again. */
  readonly errors: readonly string[];
}

const SERVICES = { "warehouse-a": ["audio", "games"], "warehouse-b": ["home", "books"] };
export const PROCESSING = Object.keys(SERVICES);
export const SHARDS = 4;
const USERS = 1_500;
const ANSWERS_MS = 150_000;
/** The plan is longer than the scenario, which ends when its last burst is over. */
const PLAN_SPARE_S = 420;
/** One charge in five misbehaves, in the ways of a bad day. */
const SHARES = [
  "decline=0.03,error_before=0.02,error_after=0.02,timeout_after=0.01,limited=0.02,slow=0.01",
  "pending=0.02,twice=0.01,late=0.005,html200=0.005,wrong_amount=0.005,late_capture=0.005",
  "refund_conflict=0.01,refund_error=0.01,refund_pending=0.01",
].join(",");
/** Shorter than in a real sale, so that every wait ends before the drain does. */
const PATIENCE = {
  SLUICE_GAP_TIMEOUT: "5s",
  SLUICE_GAP_MAX: "60s",
  SLUICE_RETRY_DELAYS: "250ms,500ms,1s",
  SLUICE_PROVIDER_TIMEOUT: "1s",
  SLUICE_RATE_MAX_AGE: "10s",
  SLUICE_RATE_WAIT: "3s",
  SLUICE_SOLD_OUT_AT_GATE: "no",
  // Only the faults may slow this system down, not other programs.
  SLUICE_GOVERNOR_CPU: "off",
};

export async function runScenario(options: ScenarioOptions): Promise<ScenarioResult> {
  const { scenario, stores, seed, seconds, perSecond } = options;
  const dir = join(options.dir, scenario.name);
  mkdirSync(dir, { recursive: true });
  const startedAt = new Date(realRuntime.wallMs()).toISOString();
  const historyPath = join(dir, "history.jsonl");
  const flow = new FlowHistory(historyPath, SHARDS);
  const system = await LiveSystem.start(
    {
      ...{ dir, stores, seed, shards: SHARDS, flow, shares: SHARES, services: SERVICES },
      proxies: needs(scenario).has("proxies"),
      cli: options.cli ?? (needs(scenario).has(ONCE) ? earlierRelease(dir) : undefined),
      env: { ...PATIENCE, ...options.env },
    },
    options.onSystem,
  );
  let rush: Rush | undefined;
  try {
    const spare = seconds + PLAN_SPARE_S;
    const plan = makePlan({
      ...{ seed, users: USERS, orders: Math.ceil(perSecond * spare * ORDERS_PER_STEP) },
      nowMs: realRuntime.wallMs(),
      idsPerSecond: perSecond,
      demandOverStock: spare / seconds,
    });
    await system.stack.createSale(plan.sale);
    const events = new HistoryFile(join(dir, "events.jsonl"), system.stack.rules);
    events.sale(plan.sale);
    const clients = await startRush({
      ...{ plan, events, history: flow, tally: flow.tally, perSecond },
      targets: await system.targets(),
      issuer: system.stack.issuer,
    });
    rush = clients;
    const errors: string[] = [];
    const bursts = new Bursts(options, system, errors);
    await bursts.run();
    const lasted = bursts.seconds;
    clients.stop();
    await settled(errors, "clients have their answers", clients.answered, ANSWERS_MS);
    const known = { ...circumstances(scenario, bursts.struck), failover: flow.elsewhere };
    const evidence = { historyPath, events, users: flow.users, known, say: options.say };
    const ending = {
      independent: options.independent ?? true,
      closeClients: () => clients.close(),
    };
    const end = await judge(system, { ...evidence, ...ending }, errors);
    return {
      ...{ name: scenario.name, seed, perSecond, dir, startedAt, errors, ...end },
      ...{ struck: bursts.struck, load: loadOf(bursts.loads) },
      seconds: lasted,
      accepted: flow.accepted(),
      answers: Object.fromEntries([...flow.answers()].sort((a, b) => b[1] - a[1])),
    };
  } finally {
    rush?.stop();
    rush?.close();
    await system.stop();
  }
}

function loadOf(loads: readonly number[]): ScenarioResult["load"] {
  const mean = loads.reduce((sum, load) => sum + load, 0) / Math.max(1, loads.length);
  return { mean: round(mean), most: round(Math.max(0, ...loads)) };
}

const round = (value: number) => Math.round(value * 10) / 10;

/** Share of the plan's steps that are first sendings of orders. */
const ORDERS_PER_STEP = 0.9;

/** What the independent checker must know of the faults that happened. */
function circumstances(
  { faults }: Scenario,
  struck: readonly Struck[],
): Pick<HistoryEnd, "clock" | "redisLost"> {
  const happened = faults.filter(({ name }) => struck.some(({ fault }) => fault === name));
  const touched = (part: string) =>
    happened.some(({ touches }) => touches === undefined || touches.includes(part));
  const jumped = happened.some(({ touches = [] }) => touches.includes("clock"));
  return { clock: jumped ? "jumps" : "steady", redisLost: touched("redis") };
}
