// Errors that are ignored on purpose, each under a name with the reason why nothing is lost. They
// are counted by name (`sluice_ignored_errors_total`): an error that is harmless once is not
// harmless a hundred times a minute.

export const IGNORABLE = {
  ack: "what a closing channel has not acknowledged is delivered again, and recognized",
  catalogue_look: "the gateway keeps the copy it has and reports that it may be behind",
  channel_close: "a channel that cannot be closed is already closed",
  clock_sync: "the clock is estimated without Redis until the next measurement",
  consumer_cancel: "a consumer ends with its channel",
  descriptors_unknown: "nothing is rejected for it; without descriptors the system itself refuses",
  follow_ups: "follow-ups stay open in the ledger, and the next call finds them",
  halt_look: "the next heartbeat looks again, and each acquisition looks too",
  halt_mark: "each owner's own check finds the same reason to halt",
  halt_record: "the worker stays halted, and repeats it until the ledger has it",
  ledger_close: "the connection ends with its process; earlier failures are thrown",
  log_cut: "a log that cannot be cut now grows until the next look",
  members_look: "the other roles' last reports stay valid for another second",
  not_ready_yet: "the caller asks again",
  overview_look: "unreachable parts are shown as away or left out",
  push: "pushes are best effort: clients can ask for what they missed",
  provider_record: "without the provider's record, verify reports what it could not check",
  queue_depth: "the next reading asks again",
  queue_restore: "a service's queue is declared again by the next look of the relay",
  queue_resume: "the next pause or retry subscribes again",
  rates_noted: "a later message of the feed notes the rates again",
  rates_look: "rates that cannot be read are answered 503, and the next caller asks again",
  rebuild_announcement: "the announcement is renewed every second and expires by itself",
  rebuild_look: "the incarnation known before the rebuild is used",
  recorded_mark: "the next entry, or the next check, marks it too",
  redis_connect: "the client keeps trying",
  release: "leases and reports expire by themselves",
  report_show: "the last report stands until it expires",
  route_unbind: "a queue that was never declared in a region has no binding there",
  spans_flush: "traces are best effort",
  stock_look: "unread stock is not shown and refuses no order",
  subscription_open: "the next connection, or the next attempt, opens it again",
  table_created: "another process created it at the same moment",
  timeline: "what was noticed is written with the next round",
  webhook_send: "the webhook is sent again",
} as const;

export type Ignorable = keyof typeof IGNORABLE;

const counts = new Map<Ignorable, number>();

/** The result of the work; undefined if it fails. */
export function ignore<T>(work: Promise<T>, what: Ignorable): Promise<T | undefined> {
  return work.catch(() => {
    countIgnored(what);
    return undefined;
  });
}

/** For a `catch` that does more than ignore the error. */
export function countIgnored(what: Ignorable): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

/** Errors this process has ignored so far, by name; names without any are left out. */
export function ignoredErrors(): Readonly<Record<string, number>> {
  return Object.fromEntries(counts);
}

/** Settles when the work has ended; its error is handled where the work is awaited. */
export function ended(work: Promise<unknown>): Promise<void> {
  return work.then(
    () => undefined,
    () => undefined,
  );
}
