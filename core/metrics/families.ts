// The metric families of every role, as data: what is read from which report, under which labels.
// Labels are bounded: shards and regions are few, reasons and outcomes are closed lists, items are
// limited in number (stock.ts).
import type {
  FulfilReport,
  PaymentsReport,
  RatesReport,
  RoleReport,
  SenderReport,
} from "../domain/report.ts";
import { by, type Family, family, one } from "./family.ts";
import { GATEWAY } from "./gateway-families.ts";
import { GOVERNOR, PROCESS } from "./shared-families.ts";
import { WORKER } from "./worker-families.ts";

const PAYMENTS: readonly Family<PaymentsReport>[] = [
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
    "gauge",
    "sluice_provider_failures_in_a_row",
    "Attempts at the provider that failed since the last one that it served.",
    (r) => one(r.failing?.failures ?? 0),
  ),
  family(
    "histogram",
    "sluice_provider_call_seconds",
    "Duration of one call to the payment provider.",
    (r) => r.call,
  ),
];

const FULFIL: readonly Family<FulfilReport>[] = [
  ...GOVERNOR,
  family("counter", "sluice_parts_total", "Parts of orders handled, by result.", (r) =>
    by("result", r.parts),
  ),
];

const RATES: readonly Family<RatesReport>[] = [
  family("gauge", "sluice_rates_pairs", "Currency pairs in the feed.", (r) => one(r.pairs)),
  family(
    "gauge",
    "sluice_rates_last_timestamp_seconds",
    "Arrival of the latest rates, Unix time.",
    (r) => one(r.lastMs / 1_000),
  ),
];

const SENDER: readonly Family<SenderReport>[] = [
  family("gauge", "sluice_ledger_up", "Whether the ledger answers.", (r) =>
    one(r.ledger === "up" ? 1 : 0),
  ),
  family("gauge", "sluice_webhook_endpoints", "Webhook endpoints that this process serves.", (r) =>
    one(r.endpoints),
  ),
  family(
    "gauge",
    "sluice_webhook_endpoints_paused",
    "Webhook endpoints that are paused, in the whole system; absent while unknown.",
    (r) => (r.pausedEndpoints === undefined ? [] : one(r.pausedEndpoints)),
  ),
  family("gauge", "sluice_webhook_held_events", "Events that wait for another try.", (r) =>
    one(r.held),
  ),
  family("counter", "sluice_webhook_deliveries_total", "Webhooks sent, by outcome.", (r) =>
    by("outcome", r.deliveries),
  ),
  family(
    "histogram",
    "sluice_webhook_call_seconds",
    "Duration of one webhook call.",
    (r) => r.call,
  ),
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
