// Errors that go no further, each under a name with the reason why nothing is lost by it. They are
// counted by name in this process (`sluice_ignored_errors_total`): what is harmless once is not
// when it happens a hundred times a minute.

export const IGNORABLE = {
  catalogue_look: "the gateway keeps the copy it has and reports that it may be behind",
  channel_close: "a channel that cannot be closed is closed already",
  clock_sync: "the clock is reckoned without Redis until the next measurement",
  consumer_cancel: "a consumer ends with its channel",
  follow_ups: "they stay open in the ledger, and the next call finds them",
  halt_mark: "each owner's own check finds the same reason to halt",
  ledger_close: "the connection ends with its process; what failed before is thrown",
  members_look: "what the other roles reported last holds for another second",
  not_ready_yet: "whoever waits for it asks again",
  overview_look: "what could not be asked is shown as away or left out",
  push: "pushes are best effort: clients can ask for what they missed",
  queue_depth: "the next look asks again",
  queue_resume: "the next pause or retry subscribes again",
  rates_held: "the feed repeats every rate",
  rebuild_announcement: "it is renewed every second and lapses by itself",
  rebuild_look: "the incarnation that was known before the rebuild is used",
  recorded_mark: "the next entry, or the next check, marks as much",
  redis_connect: "the client keeps trying",
  release: "leases and reports lapse by themselves",
  report_show: "the last report stands until it lapses",
  route_unbind: "a queue that was never declared in a region has no binding there",
  spans_flush: "traces are best effort",
  stock_look: "stock that could not be read is not shown and refuses nobody",
  subscription_open: "it is opened again with the next connection, or a moment later",
  table_created: "another process has created it at the same moment",
  webhook_send: "it is sent again",
} as const;

export type Ignorable = keyof typeof IGNORABLE;

const counts = new Map<Ignorable, number>();

/** What the work comes to; undefined if it fails. */
export function ignore<T>(work: Promise<T>, what: Ignorable): Promise<T | undefined> {
  return work.catch(() => {
    countIgnored(what);
    return undefined;
  });
}

/** For a `catch` that does more than ignore. */
export function countIgnored(what: Ignorable): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

/** How many errors this process has ignored so far, by name; names without any are left out. */
export function ignoredErrors(): Readonly<Record<string, number>> {
  return Object.fromEntries(counts);
}

/** Settles when the work has ended, either way: its error is handled where the work is awaited. */
export function ended(work: Promise<unknown>): Promise<void> {
  return work.then(
    () => undefined,
    () => undefined,
  );
}
