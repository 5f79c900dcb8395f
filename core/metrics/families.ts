// The metric families of every role, as data: what is read from which report, under which labels.
// Labels are bounded: shards and regions are few, reasons and outcomes are closed lists, items are
// counted off (stock.ts).
import type {
  BrokerState,
  FulfilReport,
  GatewayReport,
  GovernorReport,
  HistogramReport,
  PaymentsReport,
  RatesReport,
  RoleReport,
  WorkerReport,
} from "../domain/report.ts";

export type Labels = Readonly<Record<string, string | number>>;
export type Sample = readonly [labels: Labels, value: number];

export interface Family<R> {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly samples: (report: R) => readonly Sample[] | HistogramReport;
}

const family = <R>(
  type: Family<R>["type"],
  name: string,
  help: string,
  samples: Family<R>["samples"],
): Family<R> => ({
  type,
  name,
  help,
  samples,
});
const one = (value: number): readonly Sample[] => [[{}, value]];
const by = (label: string, counts: Readonly<Record<string, number>>): readonly Sample[] =>
  Object.entries(counts).map(([key, n]) => [{ [label]: key }, n]);
/** One sample a state, 1 for the one that is. */
const is = (state: string, states: readonly string[]): readonly Sample[] =>
  states.map((s) => [{ state: s }, s === state ? 1 : 0]);

const BROKER_UP = "Whether a region's broker is connected and takes messages.";
const BROKER_BLOCKED = "Whether a region's broker has raised an alarm (memory, disk).";
const brokers = (state: BrokerState, all: WorkerReport["brokers"]): readonly Sample[] =>
  all.map((b) => [{ region: b.region }, b.state === state ? 1 : 0]);

export const PROCESS: readonly Family<RoleReport>[] = [
  family("counter", "process_cpu_seconds_total", "CPU time taken.", (r) => one(r.cpuSeconds)),
  family("gauge", "process_resident_memory_bytes", "Resident memory.", (r) => one(r.rssBytes)),
  family("gauge", "process_start_time_seconds", "When the process started, Unix time.", (r) =>
    one(r.sinceMs / 1_000),
  ),
  family(
    "gauge",
    "sluice_event_loop_delay_seconds",
    "The longest delay of the event loop in the last second.",
    (r) => one(r.loopDelayMs / 1_000),
  ),
  family(
    "counter",
    "sluice_ignored_errors_total",
    "Errors that were ignored since nothing is lost by them, by what failed.",
    (r) => by("what", r.ignored),
  ),
];

/** Of all that ease off: workers, payment workers, services. */
const GOVERNOR: readonly Family<{ readonly governor: GovernorReport }>[] = [
  family("gauge", "sluice_governor_state", "1 for the state the governor is in.", (r) =>
    is(r.governor.state, ["running", "slowed", "paused"]),
  ),
  family("gauge", "sluice_governor_level", "0 runs freely, 1 to 3 slowed, 4 paused.", (r) =>
    one(r.governor.level),
  ),
  family(
    "gauge",
    "sluice_governor_signal",
    "The last look at each signal, in the unit its name ends with.",
    (r) => by("signal", r.governor.signals),
  ),
  family(
    "counter",
    "sluice_governor_eased_total",
    "Times it went a level further down, by reason.",
    (r) => by("reason", r.governor.eased),
  ),
  family("counter", "sluice_governor_transitions_total", "Times it went into each state.", (r) =>
    by("state", r.governor.transitions),
  ),
];

export const GATEWAY: readonly Family<GatewayReport>[] = [
  family(
    "counter",
    "sluice_orders_accepted_total",
    "Orders, skips and cancels that a queue has confirmed.",
    (r) => one(r.rows.confirmed),
  ),
  family(
    "counter",
    "sluice_orders_unsettled_total",
    "Orders whose batch was not confirmed, by what their clients were told.",
    (r) => by("answer", { shed: r.rows.shed, unconfirmed: r.rows.unconfirmed }),
  ),
  family(
    "counter",
    "sluice_webhooks_total",
    "Webhooks of the payment provider, by what became of them.",
    (r) => by("outcome", r.webhooks),
  ),
  family("counter", "sluice_orders_refused_total", "Requests refused, by problem code.", (r) =>
    by("reason", r.refused),
  ),
  family("counter", "sluice_gateway_batches_total", "Batches handed to the broker.", (r) =>
    one(r.batches),
  ),
  family(
    "gauge",
    "sluice_orders_pending",
    "Orders taken in here whose outcome has not been heard, by shard.",
    (r) => r.shards.map((s) => [{ shard: s.shard }, s.pending]),
  ),
  family("gauge", "sluice_admission_limit_orders", "How many may be pending, by shard.", (r) =>
    r.shards.map((s) => [{ shard: s.shard }, s.limit]),
  ),
  family(
    "gauge",
    "sluice_admission_wait_seconds",
    "How long an order taken in now is to wait, by shard.",
    (r) => r.shards.map((s) => [{ shard: s.shard }, s.waitMs / 1_000]),
  ),
  family("gauge", "sluice_admission_state", "1 for the state admission is in.", (r) =>
    is(r.admission, ["open", "pressured", "closed"]),
  ),
  family("gauge", "sluice_broker_up", BROKER_UP, (r) =>
    brokers("up", [{ region: r.region, state: r.broker }]),
  ),
  family("gauge", "sluice_broker_blocked", BROKER_BLOCKED, (r) =>
    brokers("blocked", [{ region: r.region, state: r.broker }]),
  ),
  family("gauge", "sluice_gateway_sockets", "Open WebSockets.", (r) => one(r.sockets)),
  family("gauge", "sluice_gateway_waiting_bytes", "Characters of orders not yet settled.", (r) =>
    one(r.waitingBytes),
  ),
  family(
    "gauge",
    "sluice_gateway_undecided_orders",
    "Orders remembered until their outcome is heard.",
    (r) => one(r.undecided),
  ),
  family("gauge", "sluice_gateway_followed_orders", "Orders that somebody follows.", (r) =>
    one(r.followed),
  ),
  family(
    "histogram",
    "sluice_confirm_seconds",
    "From a batch's publish to its confirm, by batches.",
    (r) => r.confirm,
  ),
  family(
    "histogram",
    "sluice_order_outcome_seconds",
    "From the moment an order was taken in until its outcome came back.",
    (r) => r.outcome,
  ),
];

export const WORKER: readonly Family<WorkerReport>[] = [
  family(
    "counter",
    "sluice_orders_decided_total",
    "Orders decided and recorded, by outcome.",
    (r) => by("outcome", r.outcomes),
  ),
  family(
    "counter",
    "sluice_order_steps_total",
    "What happened to orders after their decision, by step.",
    (r) => by("step", r.steps),
  ),
  family(
    "counter",
    "sluice_charge_retries_total",
    "Charges asked for again after a failed attempt.",
    (r) => one(r.retries),
  ),
  family("counter", "sluice_dead_lettered_total", "Orders whose charge failed for good.", (r) =>
    one(r.deadLettered),
  ),
  family(
    "gauge",
    "sluice_charges_owed",
    "Attempts given up on (unknown, unresolved) and refunds refused (refund_failed), by status.",
    (r) => (r.owed ? by("status", r.owed) : []),
  ),
  family("counter", "sluice_follow_ups_total", "Follow-ups published and marked.", (r) =>
    one(r.followUps),
  ),
  family(
    "counter",
    "sluice_rebuilds_total",
    "Times this worker has rebuilt Redis from the ledger.",
    (r) => one(r.rebuilds),
  ),
  family(
    "counter",
    "sluice_rebuilds_failed_total",
    "Rebuilds this worker began that opened nothing: Redis lost what was loaded, was full, or went away.",
    (r) => one(r.rebuildsFailed),
  ),
  family(
    "gauge",
    "sluice_worker_up",
    "1 while the worker runs; 0 while it rebuilds or is halted.",
    (r) => one(r.state === "running" ? 1 : 0),
  ),
  family(
    "gauge",
    "sluice_worker_halted",
    "1 while it has stopped everything until an operator decides.",
    (r) => one(r.state.startsWith("halted") ? 1 : 0),
  ),
  family("gauge", "sluice_ledger_up", "Whether the ledger answers.", (r) =>
    one(r.ledger === "up" ? 1 : 0),
  ),
  family("gauge", "sluice_broker_up", BROKER_UP, (r) => brokers("up", r.brokers)),
  family("gauge", "sluice_broker_blocked", BROKER_BLOCKED, (r) => brokers("blocked", r.brokers)),
  family("gauge", "sluice_shard_owned", "1 for each shard this worker holds.", (r) =>
    r.shards.map((s) => [{ shard: s.shard }, 1]),
  ),
  family(
    "gauge",
    "sluice_queue_lag_seconds",
    "How long the oldest message in hand has waited since it was accepted.",
    (r) =>
      r.shards.flatMap((s) =>
        s.regions.map((g): Sample => [{ shard: s.shard, region: g.region }, g.lagMs / 1_000]),
      ),
  ),
  family(
    "gauge",
    "sluice_queue_messages",
    "Messages ready in a shard's queue; absent while nobody can look.",
    (r) =>
      r.shards.flatMap((s) =>
        s.regions.flatMap((g): Sample[] =>
          g.ready === null ? [] : [[{ shard: s.shard, region: g.region }, g.ready]],
        ),
      ),
  ),
  family("gauge", "sluice_worker_load", "Messages and entries in hand, by shard.", (r) =>
    r.shards.map((s) => [{ shard: s.shard }, s.load]),
  ),
  family(
    "gauge",
    "sluice_orders_parked",
    "Orders that wait for a number or a rate, by shard.",
    (r) => r.shards.map((s) => [{ shard: s.shard }, s.parked]),
  ),
  family(
    "gauge",
    "sluice_worker_unrecorded_entries",
    "Entries decided and not yet in the ledger.",
    (r) => one(r.unrecorded),
  ),
  family(
    "gauge",
    "sluice_dead_letters",
    "Messages in the queues for dead letters and for parts without a route.",
    (r) => (r.dead ?? []).map((d) => [{ queue: d.queue, region: d.region }, d.messages]),
  ),
  ...GOVERNOR,
  family("histogram", "sluice_decide_batch_orders", "Orders in one call to Redis.", (r) => r.batch),
  family("histogram", "sluice_decide_seconds", "One call to Redis that decides.", (r) => r.decide),
  family("histogram", "sluice_commit_seconds", "One transaction of the ledger.", (r) => r.commit),
  family(
    "histogram",
    "sluice_order_recorded_seconds",
    "From acceptance until an order is in the ledger.",
    (r) => r.recorded,
  ),
];

export const PAYMENTS: readonly Family<PaymentsReport>[] = [
  ...GOVERNOR,
  family("counter", "sluice_payment_answers_total", "Answers sent to the shards, by word.", (r) =>
    by("answer", r.answers),
  ),
  family("gauge", "sluice_payments_load", "Requests in hand.", (r) => one(r.load)),
  family(
    "gauge",
    "sluice_provider_breaker_open",
    "1 while charging pauses since the provider fails for all.",
    (r) => one(r.breaker === "closed" ? 0 : 1),
  ),
  family(
    "histogram",
    "sluice_provider_call_seconds",
    "One call to the payment provider.",
    (r) => r.call,
  ),
];

export const FULFIL: readonly Family<FulfilReport>[] = [
  ...GOVERNOR,
  family(
    "counter",
    "sluice_parts_total",
    "Parts of orders dealt with, by what became of them.",
    (r) => by("result", r.parts),
  ),
];

export const RATES: readonly Family<RatesReport>[] = [
  family("gauge", "sluice_rates_pairs", "Pairs of currencies in the feed.", (r) => one(r.pairs)),
  family(
    "gauge",
    "sluice_rates_last_timestamp_seconds",
    "When the last rates came, Unix time.",
    (r) => one(r.lastMs / 1_000),
  ),
];

/** Every family of a role. */
export function familiesOf(kind: RoleReport["kind"]): readonly Family<never>[] {
  const own = {
    gateway: GATEWAY,
    worker: WORKER,
    payments: PAYMENTS,
    fulfil: FULFIL,
    rates: RATES,
  }[kind];
  return [...PROCESS, ...own] as unknown as readonly Family<never>[];
}
