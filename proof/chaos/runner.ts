// Runs one scenario: load, bursts of faults with evidence, recovery, drain, and the verdict.
//
// 1. Whatever a fault does, it is healed, and every role and store runs again before the drain.
// 2. Each wait has an end: inject, evidence, heal, recovery, answers and drain.
// 3. All draws of burst n come from the scenario's seed and n, so that timing does not change them.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../core/domain/message-of.ts";
import { prng } from "../../core/runtime/prng.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { type HistoryEnd, HistoryFile } from "../history-file.ts";
import { makePlan } from "../load/plan.ts";
import { type Rush, startRush } from "../load/rush.ts";
import { earlierRelease } from "./earlier.ts";
import { between, type Fault, oneOf } from "./fault.ts";
import { FlowHistory } from "./flow.ts";
import { type Judgement, judge } from "./judge.ts";
import { LiveSystem } from "./live.ts";
import type { Stores } from "./stores.ts";
import { settled, within } from "./within.ts";

export interface Scenario {
  readonly name: string;
  readonly faults: readonly Fault[];
  /** How many faults a burst may have. */
  readonly atOnce: number;
  /** Default: what its faults need, or SQLite. */
  readonly ledger?: "sqlite" | "postgres";
}

export interface ScenarioOptions {
  readonly scenario: Scenario;
  readonly stores: Stores;
  /** Parent of the scenario's folder. */
  readonly dir: string;
  readonly seed: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly say: (line: string) => void;
  readonly env?: Readonly<Record<string, string>>;
  /** For tests: what runs the roles instead of this release. */
  readonly cli?: string | undefined;
  /** Also runs the independent checker, where Go is available. */
  readonly independent?: boolean | undefined;
  /** Ends early, but heals, drains and verifies. */
  readonly stopped?: () => boolean;
  readonly onSystem?: (system: { stop(): Promise<void> }) => void;
}

/** One fault that happened. */
export interface Struck {
  readonly fault: string;
  readonly detail: string;
  /** Ms since the load began: when it was injected and when it was healed. */
  readonly atMs: number;
  readonly healedMs: number;
  /** What shows that it took effect; undefined if nothing did. */
  readonly evidence: string | undefined;
  /** Why there is no evidence, or what failed. */
  readonly failure: string | undefined;
  /** From the burst's last healing until orders were accepted and decided everywhere. */
  readonly recoveryMs: number | undefined;
  readonly recoveryLimitMs: number;
}

export interface ScenarioResult extends Judgement {
  readonly name: string;
  readonly seed: number;
  readonly dir: string;
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
/** Load before the first fault. */
const WARM_UP_MS = 2_000;
/** Until orders are decided everywhere after a start. */
const FLOW_MS = 30_000;
const PAUSE_MS = [500, 2_500] as const;
/** Faults of one burst begin within this time. */
const SPREAD_MS = 3_000;
const INJECT_MS = 240_000;
const EVIDENCE_MS = 45_000;
const HEAL_MS = 150_000;
/** Flow that is not back after this many limits is reported as never back. */
const LATE = 4;
const ANSWERS_MS = 150_000;
/** The plan is longer than the scenario, which ends when its last burst is over. */
const PLAN_SPARE_S = 420;
/** One charge in five misbehaves, in the ways of a bad day. */
const SHARES = [
  "decline=0.03,error_before=0.02,error_after=0.02,timeout_after=0.01,limited=0.02,slow=0.01",
  "pending=0.02,twice=0.01,late=0.005,html200=0.005,wrong_amount=0.005,late_capture=0.005",
  "refund_conflict=0.01,refund_error=0.01,refund_pending=0.01",
].join(",");
/** Shorter than in a real sale, so that what waits is over before the drain's end. */
const PATIENCE = {
  SLUICE_GAP_TIMEOUT: "5s",
  SLUICE_GAP_MAX: "60s",
  SLUICE_RETRY_DELAYS: "250ms,500ms,1s",
  SLUICE_PROVIDER_TIMEOUT: "1s",
  SLUICE_RATE_MAX_AGE: "10s",
  SLUICE_RATE_WAIT: "3s",
  SLUICE_SOLD_OUT_AT_GATE: "no",
};

export async function runScenario(options: ScenarioOptions): Promise<ScenarioResult> {
  const { scenario, stores, seed, seconds, perSecond } = options;
  const dir = join(options.dir, scenario.name);
  mkdirSync(dir, { recursive: true });
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
      ...{ name: scenario.name, seed, dir, struck: bursts.struck, errors, ...end },
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

/** What happens only once in the life of a system. */
const ONCE = "earlier-release";

export function needs({ faults }: Scenario): ReadonlySet<string> {
  return new Set(faults.flatMap((fault) => fault.needs ?? []));
}

/** Bursts of faults until the scenario's time is over. */
class Bursts {
  readonly struck: Struck[] = [];
  private readonly startedMs = realRuntime.monotonicMs();

  constructor(
    private readonly options: ScenarioOptions,
    private readonly system: LiveSystem,
    private readonly errors: string[],
  ) {}

  get seconds(): number {
    return this.sinceMs() / 1_000;
  }

  async run(): Promise<void> {
    const { seconds, seed, stopped = () => false } = this.options;
    await this.warm();
    for (let n = 0; this.errors.length === 0 && !stopped(); n++) {
      const random = prng(Bun.hash.xxHash32(`${this.options.scenario.name} ${n}`, seed));
      const faults = this.draw(random, n);
      const once = needs(this.options.scenario).has(ONCE);
      if (n > 0 && (once || this.sinceMs() > seconds * 1_000)) return;
      await this.burst(faults, random);
      await realRuntime.sleep(between(random, ...PAUSE_MS));
    }
  }

  private sinceMs(): number {
    return realRuntime.monotonicMs() - this.startedMs;
  }

  /** Orders are decided everywhere before the first fault. */
  private async warm(): Promise<void> {
    const back = await this.flowBack(FLOW_MS);
    if (back === undefined) this.errors.push("no flow before the first fault");
    await realRuntime.sleep(WARM_UP_MS);
  }

  /** In turn for the first burst of a mix, then by draw; faults of one burst share no part. */
  private draw(random: () => number, n: number): Fault[] {
    const { faults, atOnce } = this.options.scenario;
    const first = n < faults.length ? (faults[n] as Fault) : oneOf(random, faults);
    const drawn = [first];
    const wanted = between(random, 1, atOnce);
    for (let tries = 0; drawn.length < wanted && tries < faults.length * 2; tries++) {
      const next = oneOf(random, faults);
      if (!drawn.includes(next) && drawn.every((fault) => apart(fault, next))) drawn.push(next);
    }
    return drawn;
  }

  private async burst(faults: readonly Fault[], random: () => number): Promise<void> {
    const drawn = faults.map((fault, i) => ({
      fault,
      delayMs: i === 0 ? 0 : between(random, 0, SPREAD_MS),
      random: prng(Math.floor(random() * 2 ** 32)),
    }));
    const struck = await Promise.all(drawn.map((one) => this.strike(one)));
    await settled(this.errors, "not everything starts again", this.system.revive(), HEAL_MS);
    const limitMs = Math.max(...faults.map((fault) => fault.recoveryMs));
    const recoveryMs = await this.flowBack(limitMs * LATE);
    for (const one of struck) {
      this.struck.push({ ...one, recoveryMs, recoveryLimitMs: limitMs });
      this.options.say(lineOf({ ...one, recoveryMs, recoveryLimitMs: limitMs }));
    }
  }

  /** Injects a fault, collects its evidence while it lasts, and heals it. */
  private async strike(drawn: {
    fault: Fault;
    delayMs: number;
    random: () => number;
  }): Promise<Omit<Struck, "recoveryMs" | "recoveryLimitMs">> {
    const { fault, delayMs, random } = drawn;
    await realRuntime.sleep(delayMs);
    const atMs = this.sinceMs();
    const base = { fault: fault.name, atMs };
    let detail = "";
    let evidence: string | undefined;
    let failure: string | undefined;
    try {
      const injected = await within(
        fault.inject(this.system, random),
        INJECT_MS,
        `${fault.name}: injecting`,
      );
      detail = injected.detail;
      const shown = within(injected.evidence(), EVIDENCE_MS, `${fault.name}: evidence`).then(
        (text) => {
          evidence = text;
        },
        (error: unknown) => {
          failure = messageOf(error);
        },
      );
      await Promise.all([shown, realRuntime.sleep(injected.lastsMs)]);
      await within(injected.heal(), HEAL_MS, `${fault.name}: healing`);
    } catch (error) {
      failure = messageOf(error);
      this.errors.push(`${fault.name}: ${failure}`);
    }
    return { ...base, detail, evidence, failure, healedMs: this.sinceMs() };
  }

  private async flowBack(limitMs: number): Promise<number | undefined> {
    const { flow, stack } = this.system;
    const regions = stack.gateways.map(({ region }) => region);
    const waiting = new AbortController();
    const back = await flow.back(regions, realRuntime.sleep(limitMs, waiting.signal));
    waiting.abort();
    if ("ms" in back) return back.ms;
    const answers = JSON.stringify(Object.fromEntries(flow.answers()));
    this.options.say(`no flow within ${limitMs} ms: ${back.missing.join(", ")}; so far ${answers}`);
    return undefined;
  }
}

/** Whether two faults may happen at the same time. */
function apart(a: Fault, b: Fault): boolean {
  return (
    a.touches !== undefined &&
    b.touches !== undefined &&
    !a.touches.some((part) => b.touches?.includes(part))
  );
}

function lineOf({ fault, detail, evidence, failure, recoveryMs }: Struck): string {
  const end =
    recoveryMs === undefined ? "flow never back" : `flow back ${Math.round(recoveryMs)} ms`;
  const shown = failure === undefined ? evidence : `FAILED: ${failure}`;
  return `${fault}: ${detail}: ${shown}; ${end}`;
}
