// The metric families of workers.
import type { WorkerReport } from "../domain/report.ts";
import { by, type Family, family, one, type Sample } from "./family.ts";
import { BROKER_BLOCKED, BROKER_UP, brokers, GOVERNOR } from "./shared-families.ts";

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
  family(
    "gauge",
    "sluice_given_up_parts",
    "Of those in fulfilment.unrouted: parts that a service gave up.",
    (r) =>
      (r.dead ?? []).flatMap((d) =>
        d.givenUp === undefined ? [] : [[{ region: d.region }, d.givenUp]],
      ),
  ),
  ...GOVERNOR,
  family("histogram", "sluice_decide_batch_orders", "Orders in one call to Redis.", (r) => r.batch),
  family(
    "histogram",
    "sluice_decide_seconds",
    "Duration of one deciding call to Redis.",
    (r) => r.decide,
  ),
  family(
    "histogram",
    "sluice_commit_seconds",
    "Duration of one ledger transaction.",
    (r) => r.commit,
  ),
  family(
    "histogram",
    "sluice_order_recorded_seconds",
    "Time from acceptance until an order is in the ledger.",
    (r) => r.recorded,
  ),
];
