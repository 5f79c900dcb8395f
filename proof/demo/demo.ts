// The demo: starts a fresh system, runs a rush with every fault of a real sale, kills a worker in
// the middle, and then verifies from outside that every order was processed once and in order and
// that no unit was sold twice.
import { join } from "node:path";
import { ignore } from "../../core/runtime/ignored.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { LedgerAudit } from "../../ledger/audit.ts";
import { HistoryWriter } from "../history.ts";
import { HistoryFile } from "../history-file.ts";
import { readFinalStates } from "../load/final-reads.ts";
import type { Tally } from "../load/lane.ts";
import { makePlan, type Plan } from "../load/plan.ts";
import { startRush, userOf } from "../load/rush.ts";
import type { Judged } from "../protocol/judged.ts";
import { type Verdict, verify } from "../verify/verify.ts";
import { openViews, type Views } from "../verify/views.ts";
import { drain } from "./drain.ts";
import { type Opinion, secondOpinion } from "./independent.ts";
import { bar, type Progress } from "./progress.ts";
import { Stack } from "./stack.ts";

export interface DemoOptions {
  readonly orders: number;
  readonly seed: number;
  readonly dir: string;
  readonly progress: Progress;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether the protocol's specification judges the journal: a millisecond an order. */
  readonly protocol?: boolean;
  /** See StackOptions. */
  readonly onStack?: (stack: Stack) => void;
}

export interface DemoResult {
  readonly plan: Plan;
  readonly verdict: Verdict;
  readonly opinion: Opinion;
  /** Whether the protocol's specification allows the journal; undefined: it was not asked. */
  readonly judged: Judged | undefined;
  readonly tally: Tally;
  readonly historyPath: string;
  /** The same clients' calls, outcomes and last reads, for the independent checker. */
  readonly eventsPath: string;
  /** From the first request until everything was recorded. */
  readonly seconds: number;
  readonly rushSeconds: number;
  readonly killed: string;
}

/**
 * The queues drain within seconds of the rush; a gap in a user's numbers would take
 * SLUICE_GAP_TIMEOUT.
 */
const DRAIN_TIMEOUT_MS = 120_000;
/** The source publishes its first rates when it starts, and a worker stores them at once. */
const RATES_WITHIN_MS = 30_000;

/**
 * Categories of each service. One has two, so that some orders have one part and others two or
 * three.
 */
const SERVICES = {
  "warehouse-a": ["audio", "games"],
  "warehouse-b": ["home"],
  "book-store": ["books"],
};

/**
 * Shares of the provider's misbehaviours: one charge in three, some of them only at the refund. The
 * plan adds cards that are always declined.
 */
const PROVIDER_SHARES = [
  "decline=0.04,error_before=0.03,error_after=0.03,timeout_before=0.01,timeout_after=0.01",
  "limited=0.02,slow=0.02,pending=0.02,twice=0.01,late=0.005,forged=0.005",
  "html200=0.005,redirect=0.005,wrong_key=0.005,wrong_amount=0.005,declined200=0.005",
  "huge_answer=0.003,late_capture=0.005,refund_conflict=0.02,refund_error=0.02,refund_pending=0.02",
  "refund_refused=0.02,disputed=0.005,returned=0.005",
].join(",");
/**
 * The gateways would refuse most orders for sold-out items. Deciding them all gives verify more to
 * check.
 */
const THE_WHOLE_WAY = { SLUICE_SOLD_OUT_AT_GATE: "no" };
/** Shorter than in a real sale, to keep the demo short. */
const RETRIES = { SLUICE_RETRY_DELAYS: "250ms,500ms,1s", SLUICE_PROVIDER_TIMEOUT: "1s" };

export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const { dir, progress } = options;
  progress.say(
    "  starting Redis, RabbitMQ with two regions, two gateways, two workers, two payment " +
      "workers, a payment provider",
  );
  const { onStack } = options;
  const env = { ...RETRIES, ...THE_WHOLE_WAY, ...options.env };
  const charging = { shares: PROVIDER_SHARES, seed: options.seed };
  const stack = await Stack.start({
    dir,
    env,
    onStack,
    charging,
    services: SERVICES,
    say: (line) => progress.say(`  ${line}`),
  });
  try {
    const plan = makePlan({
      orders: options.orders,
      seed: options.seed,
      nowMs: realRuntime.wallMs(),
    });
    await stack.createSale(plan.sale);
    await untilRates(stack);
    const views = await openViews(stack);
    try {
      return await rushAndProve(options, stack, plan, views);
    } finally {
      await views.close();
    }
  } finally {
    progress.done();
    await stack.stop();
  }
}

/** Without rates, orders in other currencies wait, and find every unit sold. */
async function untilRates({ gateways: [gateway] }: Stack): Promise<void> {
  const end = realRuntime.monotonicMs() + RATES_WITHIN_MS;
  while (realRuntime.monotonicMs() < end) {
    const answer = fetch(`${gateway?.url}/v1/rates`, { signal: realRuntime.abortAfter(1_000) });
    const response = await ignore(answer, "not_ready_yet");
    if (response?.ok && ((await response.json()) as { rates: unknown[] }).rates.length > 0) return;
    await realRuntime.sleep(50);
  }
  throw new Error(`the gateways had no exchange rates within ${RATES_WITHIN_MS / 1_000} s`);
}

async function rushAndProve(
  { dir, progress, protocol }: DemoOptions,
  stack: Stack,
  plan: Plan,
  views: Views,
): Promise<DemoResult> {
  const historyPath = join(dir, "history.jsonl");
  const history = new HistoryWriter(historyPath);
  const eventsPath = join(dir, "events.jsonl");
  const events = new HistoryFile(eventsPath, stack.rules);
  events.sale(plan.sale);
  const tally: Tally = {
    sent: 0,
    settled: 0,
    accepted: 0,
    total: plan.steps.length,
    answers: new Map(),
  };
  const rush = await startRush({
    plan,
    targets: stack.gateways,
    issuer: stack.issuer,
    history,
    events,
    tally,
  });
  const startedAtMs = performance.timeOrigin + realRuntime.monotonicMs();
  progress.follow(
    () => `  ${bar(tally.settled, tally.total)}  ${tally.settled.toLocaleString("en")} answered`,
  );
  const killed = halfWay(tally, rush.answered).then(async () => {
    const names = [await stack.killWorker(), await stack.killWorker("payments")].join(" and ");
    stack.startWorker();
    stack.startPayments();
    progress.say(`  ${names} killed (SIGKILL) halfway, replacements started`);
    return names;
  });
  await rush.answered;
  const answeredAtMs = performance.timeOrigin + realRuntime.monotonicMs();
  const name = await killed;
  progress.follow(() => "  waiting until everything is decided, charged and recorded");
  const restedAtMs = await drain(stack.ledgerUrl, views, {
    orders: tally.accepted,
    timeoutMs: DRAIN_TIMEOUT_MS,
    quiet: () => stack.providerQuiet(),
  });
  rush.close();
  await history.close();
  progress.follow(() => "  every user reads their orders");
  const { gateways: targets, issuer } = stack;
  await readFinalStates({ users: plan.steps.map(userOf), targets, issuer, events });
  events.close({ drained: restedAtMs !== undefined, clock: "steady" });
  progress.follow(() => "  checking every order against the ledger, Redis and the queues");
  const verdict = await verify({
    ledgerUrl: stack.ledgerUrl,
    history: [historyPath],
    rules: stack.rules,
    ...views,
    provider: () => stack.captures(),
    packed: () => stack.packed(),
  });
  progress.follow(() => "  checking the clients' history by itself");
  const opinion = await secondOpinion(eventsPath);
  if (protocol) progress.follow(() => "  asking the protocol's specification about each entry");
  const judged = protocol ? await judgedBySpecification(stack.ledgerUrl) : undefined;
  const endedAtMs = restedAtMs ?? performance.timeOrigin + realRuntime.monotonicMs();
  const seconds = (endedAtMs - startedAtMs) / 1_000;
  return {
    plan,
    verdict,
    opinion,
    judged,
    tally,
    historyPath,
    eventsPath,
    seconds,
    rushSeconds: (answeredAtMs - startedAtMs) / 1_000,
    killed: name,
  };
}

async function judgedBySpecification(ledgerUrl: string): Promise<Judged> {
  // Quint's parser is there for development only.
  const { judgeLedger } = await import("../protocol/journal.ts");
  return LedgerAudit.snapshot(realRuntime, ledgerUrl, judgeLedger);
}

/** Resolves when half of the steps, or all, have their answer. The counts are polled. */
async function halfWay(tally: Tally, answered: Promise<void>): Promise<void> {
  let over = false;
  void answered.then(() => {
    over = true;
  });
  while (!over && tally.settled < tally.total / 2) await realRuntime.sleep(10);
}
