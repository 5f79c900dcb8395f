// What one round of deliveries to an endpoint changes, collected until it is recorded.
import type { FeedEvent } from "../../core/domain/feed-event.ts";
import type { Delivery, HeldEvent, NewHeldEvent, Progress } from "../../ledger/webhook-contract.ts";
import type { Answer } from "./delivery.ts";

export interface SenderTimes {
  /** The wait before the second try. */
  readonly retryMs: number;
  /** An endpoint without a success for this long is paused. */
  readonly pauseAfterMs: number;
  /** An event that was tried for this long is given up. */
  readonly giveUpMs: number;
}

/** An event to send. `held`: it was held before. */
export interface Try {
  readonly event: FeedEvent;
  readonly held?: HeldEvent;
}

const MAX_WAIT_MS = 600_000;
/** The receiver wants no more: the status for it in Standard Webhooks. */
const GONE = 410;

/** Half the time spent so far, within bounds: after an outage, no event waits for long. */
export function waitFor(times: SenderTimes, sinceMs: number, nowMs: number): number {
  return Math.min(MAX_WAIT_MS, Math.max(times.retryMs, Math.round((nowMs - sinceMs) / 2)));
}

export class RoundOutcome {
  readonly add: NewHeldEvent[] = [];
  readonly retry: Progress["retry"][number][] = [];
  readonly drop: number[] = [];
  readonly log: Delivery[] = [];
  lastError = "";
  succeededMs = 0;
  /** The receiver has answered 410. */
  gone = false;

  constructor(private readonly times: SenderTimes) {}

  get heldChanged(): boolean {
    return this.add.length + this.retry.length + this.drop.length > 0;
  }

  /** Notes the answer to a try. */
  note({ event, held }: Try, answer: Answer, nowMs: number): Delivery["outcome"] {
    const tries = (held?.tries ?? 0) + 1;
    const sinceMs = held?.sinceMs || nowMs;
    const outcome = answer.received
      ? "delivered"
      : nowMs - sinceMs >= this.times.giveUpMs
        ? "given_up"
        : "failed";
    this.log.push(deliveryOf(event, answer, outcome, tries, nowMs));
    if (answer.received) this.succeededMs = nowMs;
    else {
      this.lastError = answer.error;
      this.gone ||= answer.status === GONE;
    }
    const dueMs = nowMs + Math.max(answer.notBeforeMs, waitFor(this.times, sinceMs, nowMs));
    if (outcome === "failed") {
      if (held) this.retry.push({ seq: held.seq, tries, dueMs, sinceMs });
      else this.add.push({ event, tries, dueMs, sinceMs, manual: false });
    } else if (held) this.drop.push(held.seq);
    return outcome;
  }
}

function deliveryOf(
  event: FeedEvent,
  { status, error, tookMs }: Answer,
  outcome: Delivery["outcome"],
  tries: number,
  atMs: number,
): Delivery {
  const { id: eventId, type, user, orderId, shard, n } = event;
  const subject = `${user}/${orderId}`;
  return { eventId, type, subject, shard, n, outcome, status, error, tries, tookMs, atMs };
}
