// What can be wrong with a running system: one table for the console, `sluice top`, `sluice
// doctor`, the alerts and docs/operations.md. A test compares them with it. No imports of code:
// browsers load this file as it is.

/** `trouble`: something has stopped. `warning`: act soon. `notice`: nothing to do. */
export type Level = "trouble" | "warning" | "notice";

export interface FindingKind {
  readonly level: Level;
  /** The heading in docs/operations.md, from which the anchor follows. */
  readonly title: string;
  /** Whom it affects, and how. */
  readonly affects: string;
  /** What an operator does next. */
  readonly next: string;
  /** Alerts of deploy/prometheus/alerts.yml about the same condition. */
  readonly alerts?: readonly string[];
}

/** The most serious first. A verdict lists its findings in this order. */
export const FINDINGS = {
  halted: {
    level: "trouble",
    title: "Sluice is halted",
    affects: "everybody: orders are accepted up to a bound, and none is decided",
    next:
      "bring the right ledger back if you can, and restart workers and gateways; then, with " +
      "whichever ledger is there, run 'sluice recover --accept-ledger'",
    alerts: ["SluiceHalted"],
  },
  redis_away: {
    level: "trouble",
    title: "Redis does not answer",
    affects: "everybody: orders are accepted up to a bound, and none is decided",
    next: "bring Redis back; whatever it has lost is rebuilt from the ledger",
    alerts: ["SluiceRedisAway"],
  },
  redis_refuses: {
    level: "trouble",
    title: "Redis takes no writes",
    affects: "everybody: none of the accepted orders is decided, and no process can report",
    next: "make Redis take writes again; everything resumes on its own",
    alerts: ["SluiceRedisRefuses"],
  },
  ledger_away: {
    level: "trouble",
    title: "The ledger does not answer",
    affects: "everybody: nothing is recorded or charged, and order states cannot be read",
    next: "bring the ledger back; workers resume on their own",
    alerts: ["SluiceLedgerAway"],
  },
  no_gateway: {
    level: "trouble",
    title: "No gateway is running",
    affects: "customers: nobody can order",
    next: "start one: 'sluice gateway', or 'sluice up'",
    alerts: ["SluiceNoGateway"],
  },
  no_gateway_open: {
    level: "trouble",
    title: "No gateway accepts orders",
    affects: "customers: every order is answered 503, and their clients try again",
    next: "remove the causes; gateways accept orders again on their own",
  },
  no_worker: {
    level: "trouble",
    title: "No worker is running",
    affects: "everybody: accepted orders wait in the brokers",
    next: "start one: 'sluice worker', or 'sluice up'; then read its log",
  },
  shards_without_owner: {
    level: "trouble",
    title: "Shards have no owner",
    affects: "the users of these shards: their orders wait in the brokers",
    next: "check 'sluice workers', then the workers' logs for 'shard not acquired'",
    alerts: ["SluiceShardWithoutOwner"],
  },
  broker_away: {
    level: "trouble",
    title: "A broker does not answer",
    affects: "orders that wait in its queues; new ones go to another region",
    next: "bring the broker or the network to it back; Sluice reconnects on its own",
    alerts: ["SluiceBrokerAway"],
  },
  broker_blocked: {
    level: "trouble",
    title: "A broker has an alarm",
    affects: "nothing is published there; new orders go to another region",
    next: "free memory or disk at that broker; the alarm ends on its own",
    alerts: ["SluiceBrokerBlocked"],
  },
  payments_paused: {
    level: "trouble",
    title: "Charging is paused",
    affects: "customers with reserved orders: their charge waits",
    next: "check the payment provider; charging resumes on its own",
    alerts: ["SluiceProviderBreaker"],
  },
  no_payments: {
    level: "trouble",
    title: "No payment worker is running",
    affects: "customers with reserved orders: their charge waits",
    next: "start one: 'sluice payments', or 'sluice up'",
    alerts: ["SluiceNoPayments"],
  },
  all_paused: {
    level: "trouble",
    title: "All processes of a kind are paused",
    affects: "customers: their work waits until one of them resumes",
    next: "'sluice workers resume ID' if an operator paused them; otherwise remove the cause",
  },
  provider_failing: {
    level: "warning",
    title: "The payment provider fails",
    affects: "customers with reserved orders: their charge is repeated until it is answered",
    next: "check the provider and SLUICE_PROVIDER_URL; the charges are repeated on their own",
  },
  rebuilding: {
    level: "warning",
    title: "Redis is being rebuilt",
    affects: "everybody: orders wait for a few seconds",
    next: "wait; if it repeats, read 'rebuild failed' in the workers' logs",
    alerts: ["SluiceRebuildsRepeat"],
  },
  role_lost: {
    level: "warning",
    title: "A process has stopped reporting",
    affects: "little for a while: others take over; clients of a gateway must use another one",
    next: "read its log, and start it again; if it hangs, end it first",
    alerts: ["SluiceRoleDown"],
  },
  worker_paused: {
    level: "warning",
    title: "A worker is paused",
    affects: "nobody: the others do its work",
    next: "'sluice workers resume ID' if an operator paused it; otherwise remove the cause",
    alerts: ["SluiceWorkerEased"],
  },
  region_without_gateway: {
    level: "warning",
    title: "A region has no gateway",
    affects: "customers of the region, unless their requests reach another one",
    next: "start one there: 'sluice gateway', or 'sluice up'",
  },
  gateway_closed: {
    level: "warning",
    title: "A gateway accepts no orders",
    affects: "its customers: they get 503 and try again; other gateways accept orders",
    next: "remove the cause; it accepts orders again on its own",
  },
  publishes_elsewhere: {
    level: "warning",
    title: "A region publishes elsewhere",
    affects: "nobody, as long as another region takes the orders",
    next: "check the region's own broker; the gateway returns on its own",
    alerts: ["SluicePublishesElsewhere"],
  },
  redis_memory: {
    level: "warning",
    title: "Redis is nearly full",
    affects: "customers, at 90%: gateways stop accepting orders",
    next: "give Redis more memory, or shorten SLUICE_DEDUP_WINDOW",
    alerts: ["SluiceRedisMemory"],
  },
  dead_letters: {
    level: "warning",
    title: "Dead letters wait",
    affects: "the customers whose orders or payments they are",
    next: "'sluice dead' lists them with their reasons; redrive or drop each",
    alerts: ["SluiceDeadLetters"],
  },
  given_up_parts: {
    level: "warning",
    title: "A service gave up paid parts",
    affects: "customers who have paid: nobody ships these parts",
    next: "'sluice dead' lists them with their reasons; redrive them, or settle with the customers",
    alerts: ["SluiceGivenUpParts"],
  },
  unrouted_parts: {
    level: "warning",
    title: "Paid parts have no route",
    affects: "customers who have paid: nobody ships these parts",
    next: "'sluice routes set CATEGORY SERVICE'; the parts then leave on their own",
    alerts: ["SluiceUnroutedParts"],
  },
  no_route: {
    level: "warning",
    title: "A category has no route",
    affects: "customers who will buy it: their paid parts will wait",
    next: "'sluice routes set CATEGORY SERVICE'",
  },
  no_consumer: {
    level: "warning",
    title: "A service is not running",
    affects: "customers who have paid: their parts wait in the service's queue",
    next:
      "start that service; or 'sluice routes set CATEGORY OTHER', and then " +
      "'sluice routes drain SERVICE' for the parts that wait",
  },
  money_owed: {
    level: "warning",
    title: "Money is owed",
    affects: "customers who wait for a refund, or whose charge is unclear",
    next: "settle it at the provider, then 'sluice dead redrive' the letter",
    alerts: ["SluiceMoneyOwed"],
  },
  orders_wait: {
    level: "warning",
    title: "Orders wait too long",
    affects: "the users of these shards: their outcome is late",
    next: "add a worker if all are busy; otherwise look at the step that is marked as slow",
    alerts: ["SluiceQueueLag"],
  },
  shedding: {
    level: "warning",
    title: "A gateway holds orders back",
    affects: "customers, if more orders arrive than it takes: these get 503 and try again",
    next: "nothing in a rush; if it lasts, add workers or raise SLUICE_TARGET_WAIT",
    alerts: ["SluiceShedding"],
  },
  rates_stale: {
    level: "warning",
    title: "Exchange rates are out of date",
    affects:
      "customers who pay in another currency: their orders wait for a rate, and then end as " +
      "fx_unavailable",
    next: "check the rate source and the role 'sluice rates'",
  },
  rates_held: {
    level: "warning",
    title: "Exchange rates jumped",
    affects:
      "customers who pay in these currencies: their orders end as fx_unavailable once the last " +
      "good rate is too old",
    next: "'sluice rates list' shows each; accept or refuse it",
    alerts: ["SluiceRatesHeld"],
  },
  no_sender: {
    level: "warning",
    title: "No webhook sender is running",
    affects: "receivers of webhooks: events wait in the ledger",
    next: "start one: 'sluice sender', or 'sluice up'",
  },
  webhooks_paused: {
    level: "warning",
    title: "Webhooks are not delivered",
    affects: "the receivers named: events wait in the ledger",
    next: "'sluice webhooks' says why; 'sluice webhooks resume ID' continues where it stopped",
    alerts: ["SluiceWebhookPaused"],
  },
  slowed: {
    level: "notice",
    title: "A worker slows down",
    affects: "customers, if it lasts: outcomes take longer",
    next: "remove the cause if it lasts; it resumes on its own",
    alerts: ["SluiceWorkerEased"],
  },
  role_restarted: {
    level: "notice",
    title: "A process was started again",
    affects: "nobody any more: its work goes on",
    next: "its log may say why it ended",
  },
  no_sale: {
    level: "notice",
    title: "There is no sale",
    affects: "customers: there is nothing to order",
    next: "create one: 'sluice sales create FILE', or the console's page 'Sales'",
  },
} as const satisfies Record<string, FindingKind>;

export type FindingCode = keyof typeof FINDINGS;

export interface Finding {
  readonly code: FindingCode;
  readonly level: Level;
  /** A role, region, queue or category; empty: it is about the whole system. */
  readonly subject: string;
  /** What is wrong, in a sentence without its full stop. */
  readonly what: string;
  readonly affects: string;
  readonly next: string;
  /** Unix ms; null: unknown. */
  readonly sinceMs: number | null;
  /** In docs/operations.md. */
  readonly anchor: string;
}

/** The level of the most serious finding; `ok`: there is none. */
export interface Verdict {
  readonly level: "ok" | Level;
  readonly findings: readonly Finding[];
}

/** The anchor that a heading has. */
export function anchorOf(code: FindingCode): string {
  return FINDINGS[code].title
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, "")
    .replaceAll(" ", "-");
}
