// The metric families of every role, as data: what is read from which report, under which labels.
// Labels are bounded: shards and regions are few, reasons and outcomes are closed lists, items are
// limited in number (stock.ts).
import type {
  BrokerState,
  FulfilReport,
  GatewayReport,
  GovernorReport,
  PaymentsReport,
  RatesReport,
  RoleReport,
  SenderReport,
  WorkerReport,
} from "../domain/report.ts";
import { by, type Family, family, is, one, type Sample } from "./family.ts";

const BROKER_UP = "Whether a region's broker is connected and accepts messages.";
const BROKER_BLOCKED = "Whether a region's broker has raised an alarm (memory, disk).";
const brokers = (state: BrokerState, all: WorkerReport["brokers"]): readonly Sample[] =>
  all.map((b) => [{ region: b.region }, b.state === state ? 1 : 0]);

const OPEN = { closed: 0, "half-open": 0.5, open: 1 } as const;

export const PROCESS: readonly Family<RoleReport>[] = [
  family("counter", "process_cpu_seconds_total", "CPU time used.", (r) => one(r.cpuSeconds)),
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

/** For every role that can ease off: workers, payment workers, services. */
const GOVERNOR: readonly Family<{ readonly governor: GovernorReport }>[] = [
  family("gauge", "sluice_governor_state", "1 for the governor's current state.", (r) =>
    is(r.governor.state, ["running", "slowed", "paused"]),
  ),
  family("gauge", "sluice_governor_level", "0 runs freely, 1 to 3 slowed, 4 paused.", (r) =>
    one(r.governor.level),
  ),
  family(
    "gauge",
    "sluice_governor_signal",
    "Latest value of each signal, in the unit its name ends with.",
    (r) => by("signal", r.governor.signals),
  ),
  family(
    "counter",
    "sluice_governor_eased_total",
    "Times the governor slowed down by another level, by reason.",
    (r) => by("reason", r.governor.eased),
  ),
  family("counter", "sluice_governor_transitions_total", "Times it entered each state.", (r) =>
    by("state", r.governor.transitions),
  ),
];

export const GATEWAY: readonly Family<GatewayReport>[] = [
  family(
    "counter",
    "sluice_orders_accepted_total",
    "Orders, skips and cancels confirmed by a queue.",
    (r) => one(r.rows.confirmed),
  ),
  family(
    "counter",
    "sluice_orders_unsettled_total",
    "Orders whose batch was not confirmed, by the answer their clients got.",
    (r) => by("answer", { shed: r.rows.shed, unconfirmed: r.rows.unconfirmed }),
  ),
  family("counter", "sluice_webhooks_total", "Webhooks of the payment provider, by result.", (r) =>
    by("outcome", r.webhooks),
  ),
  family("counter", "sluice_orders_refused_total", "Requests refused, by problem code.", (r) =>
    by("reason", r.refused),
  ),
  family("counter", "sluice_gateway_batches_total", "Batches sent to the broker.", (r) =>
    one(r.batches),
  ),
  family(
    "gauge",
    "sluice_orders_pending",
    "Orders accepted here whose outcome has not arrived yet, by shard.",
    (r) => r.shards.map((s) => [{ shard: s.shard }, s.pending]),
  ),
  family("gauge", "sluice_admission_limit_orders", "Orders that may be pending, by shard.", (r) =>
    r.shards.map((s) => [{ shard: s.shard }, s.limit]),
  ),
  family(
    "gauge",
    "sluice_admission_wait_seconds",
    "Expected wait of an order accepted now, by shard.",
    (r) => r.shards.map((s) => [{ shard: s.shard }, s.waitMs / 1_000]),
  ),
  family("gauge", "sluice_admission_state", "1 for the current state of admission.", (r) =>
    is(r.admission, ["open", "pressured", "closed"]),
  ),
  family("gauge", "sluice_broker_up", BROKER_UP, (r) =>
    brokers("up", [{ region: r.region, state: r.broker }]),
  ),
  family("gauge", "sluice_broker_blocked", BROKER_BLOCKED, (r) =>
    brokers("blocked", [{ region: r.region, state: r.broker }]),
  ),
  family(
    "gauge",
    "sluice_gateway_publishes_elsewhere",
    "1 while orders go to another region than the gateway's own.",
    (r) => one(r.publishing.publishesTo === r.region ? 0 : 1),
  ),
  family("gauge", "sluice_breaker_open", "1 while a region gets no orders, 0.5 on trial.", (r) =>
    r.publishing.regions.map((g) => [{ to: g.region }, OPEN[g.breaker]]),
  ),
  family(
    "gauge",
    "sluice_breaker_since_timestamp_seconds",
    "When a region's breaker got its state, Unix time.",
    (r) => r.publishing.regions.map((g) => [{ to: g.region }, g.sinceMs / 1_000]),
  ),
  family("counter", "sluice_batches_confirmed_total", "Batches that a region has confirmed.", (r) =>
    r.publishing.regions.map((g) => [{ to: g.region }, g.confirmed]),
  ),
  family(
    "counter",
    "sluice_http_parts_total",
    "Parts that services claimed over HTTP, by what became of them.",
    (r) => by("outcome", r.claims?.parts ?? {}),
  ),
  family("gauge", "sluice_http_part_claims_waiting", "Services waiting for parts over HTTP.", (r) =>
    one(r.claims?.waiting ?? 0),
  ),
  family("gauge", "sluice_gateway_sockets", "Open WebSockets.", (r) => one(r.sockets)),
  family(
    "gauge",
    "sluice_gateway_unread_bytes",
    "Bytes that WebSocket clients have not read.",
    (r) => one(r.unreadBytes ?? 0),
  ),
  family("gauge", "sluice_gateway_open_descriptors", "Open file descriptors.", (r) =>
    r.descriptors ? one(r.descriptors.open) : [],
  ),
  family("gauge", "sluice_gateway_max_descriptors", "File descriptors it may open.", (r) =>
    r.descriptors ? one(r.descriptors.limit) : [],
  ),
  family(
    "counter",
    "sluice_gateway_turned_away_total",
    "For want of descriptors: sockets refused, idle connections closed, stops of listening.",
    (r) => by("what", r.turnedAway ?? {}),
  ),
  family("counter", "sluice_gateway_late_refusals_total", "Refusals answered late.", (r) =>
    one(r.lateRefusals ?? 0),
  ),
  family("gauge", "sluice_gateway_waiting_bytes", "Characters of orders not yet settled.", (r) =>
    one(r.waitingBytes),
  ),
  family(
    "gauge",
    "sluice_gateway_undecided_orders",
    "Orders remembered until their outcome arrives.",
    (r) => one(r.undecided),
  ),
  family("gauge", "sluice_gateway_followed_orders", "Orders that clients follow.", (r) =>
    one(r.followed),
  ),
  family(
    "histogram",
    "sluice_confirm_seconds",
    "Time from a batch's publish to its confirm, by batch.",
    (r) => r.confirm,
  ),
  family(
    "histogram",
    "sluice_order_outcome_seconds",
    "Time from an order's acceptance until its outcome came back.",
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
    "Events of orders after their decision, by step.",
    (r) => by("step", r.steps),
  ),
  family("counter", "sluice_charge_retries_total", "Charges retried after a failed attempt.", (r) =>
    one(r.retries),
  ),
  family("counter", "sluice_dead_lettered_total", "Orders whose charge failed for good.", (r) =>
    one(r.deadLettered),
  ),
  family(
    "gauge",
    "sluice_rates_held",
    "Exchange rates that jumped and wait for an operator; absent while unknown.",
    (r) => (r.ratesHeld === undefined ? [] : one(r.ratesHeld)),
  ),
  family(
    "gauge",
    "sluice_charges_owed",
    "Attempts given up (unknown, unresolved) and refunds refused (refund_failed), by status.",
    (r) => (r.owed ? by("status", r.owed) : []),
  ),
  family("counter", "sluice_follow_ups_total", "Follow-ups published and marked as sent.", (r) =>
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
    "Rebuilds by this worker that failed: Redis lost loaded data, was full, or went away.",
    (r) => one(r.rebuildsFailed),
  ),
  family(
    "gauge",
    "sluice_worker_up",
    "1 while the worker runs; 0 while it rebuilds or is halted.",
    (r) => one(r.state === "running" ? 1 : 0),
  ),
  family("gauge", "sluice_worker_halted", "1 while it has halted until an operator decides.", (r) =>
    one(r.state.startsWith("halted") ? 1 : 0),
  ),
  family("gauge", "sluice_ledger_up", "Whether the ledger answers.", (r) =>
    one(r.ledger === "up" ? 1 : 0),
  ),
  family("gauge", "sluice_broker_up", BROKER_UP, (r) => brokers("up", r.brokers)),
  family("gauge", "sluice_broker_blocked", BROKER_BLOCKED, (r) => brokers("blocked", r.brokers)),
  family("gauge", "sluice_shard_owned", "1 for each shard this worker owns.", (r) =>
    r.shards.map((s) => [{ shard: s.shard }, 1]),
  ),
  family(
    "gauge",
    "sluice_queue_lag_seconds",
    "Age of the oldest message in flight, since its acceptance.",
    (r) =>
      r.shards.flatMap((s) =>
        s.regions.map((g): Sample => [{ shard: s.shard, region: g.region }, g.lagMs / 1_000]),
      ),
  ),
  family(
    "gauge",
    "sluice_queue_messages",
    "Messages ready in a shard's queue; absent while it cannot be read.",
    (r) =>
      r.shards.flatMap((s) =>
        s.regions.flatMap((g): Sample[] =>
          g.ready === null ? [] : [[{ shard: s.shard, region: g.region }, g.ready]],
        ),
      ),
  ),
  family("gauge", "sluice_worker_load", "Messages and entries in flight, by shard.", (r) =>
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
  family("histogram", "sluice_decide_seconds", "One deciding call to Redis.", (r) => r.decide),
  family("histogram", "sluice_commit_seconds", "One ledger transaction.", (r) => r.commit),
  family(
    "histogram",
    "sluice_order_recorded_seconds",
    "Time from acceptance until an order is in the ledger.",
    (r) => r.recorded,
  ),
];

export const PAYMENTS: readonly Family<PaymentsReport>[] = [
  ...GOVERNOR,
  family("counter", "sluice_payment_answers_total", "Answers sent to the shards, by word.", (r) =>
    by("answer", r.answers),
  ),
  family("gauge", "sluice_payments_load", "Requests in flight.", (r) => one(r.load)),
  family(
    "gauge",
    "sluice_provider_breaker_open",
    "1 while charging pauses because the provider fails for everyone.",
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
  family("counter", "sluice_parts_total", "Parts of orders handled, by result.", (r) =>
    by("result", r.parts),
  ),
];

export const RATES: readonly Family<RatesReport>[] = [
  family("gauge", "sluice_rates_pairs", "Currency pairs in the feed.", (r) => one(r.pairs)),
  family(
    "gauge",
    "sluice_rates_last_timestamp_seconds",
    "Arrival of the latest rates, Unix time.",
    (r) => one(r.lastMs / 1_000),
  ),
];

export const SENDER: readonly Family<SenderReport>[] = [
  family("gauge", "sluice_ledger_up", "Whether the ledger answers.", (r) =>
    one(r.ledger === "up" ? 1 : 0),
  ),
  family("gauge", "sluice_webhook_endpoints", "Webhook endpoints that this process serves.", (r) =>
    one(r.endpoints),
  ),
  family(
    "gauge",
    "sluice_webhook_endpoints_paused",
    "Webhook endpoints that are paused, of all; absent while unknown.",
    (r) => (r.pausedEndpoints === undefined ? [] : one(r.pausedEndpoints)),
  ),
  family("gauge", "sluice_webhook_held_events", "Events that wait for another try.", (r) =>
    one(r.held),
  ),
  family("counter", "sluice_webhook_deliveries_total", "Webhooks sent, by outcome.", (r) =>
    by("outcome", r.deliveries),
  ),
  family("histogram", "sluice_webhook_call_seconds", "One webhook.", (r) => r.call),
];

export function familiesOf(kind: RoleReport["kind"]): readonly Family<never>[] {
  const own = {
    gateway: GATEWAY,
    worker: WORKER,
    payments: PAYMENTS,
    fulfil: FULFIL,
    rates: RATES,
    sender: SENDER,
  }[kind];
  return [...PROCESS, ...own] as unknown as readonly Family<never>[];
}
