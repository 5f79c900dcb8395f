// The metric families of gateways.
import { heldBack } from "../domain/reason-words.ts";
import type { GatewayReport } from "../domain/report.ts";
import { by, type Family, family, is, one } from "./family.ts";
import { BROKER_BLOCKED, BROKER_UP, brokers } from "./shared-families.ts";

const OPEN = { closed: 0, "half-open": 0.5, open: 1 } as const;

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
  family("gauge", "sluice_gateway_accepts", "0 while the gateway accepts no order at all.", (r) =>
    one(heldBack(r).orders === "all" ? 0 : 1),
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
  family("gauge", "sluice_gateway_max_descriptors", "File descriptors that it may open.", (r) =>
    r.descriptors ? one(r.descriptors.limit) : [],
  ),
  family(
    "counter",
    "sluice_gateway_turned_away_total",
    "For lack of descriptors: sockets refused, idle connections closed, pauses in listening.",
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
    "Time from publishing a batch to its confirm.",
    (r) => r.confirm,
  ),
  family(
    "histogram",
    "sluice_order_outcome_seconds",
    "Time from an order's acceptance until its outcome reached the gateway.",
    (r) => r.outcome,
  ),
];
