// The stub's webhooks, following Standard Webhooks: signed, resent under the same id until
// accepted, and on demand duplicated, delayed or forged.
import { signWebhook } from "../../core/domain/webhook-signature.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { Charge } from "./book.ts";

const LATE_MS = 3_000;
/** Two minutes of attempts: nothing else reports a dispute. */
const ATTEMPTS = 30;
const RETRY_MS = 500;
const MAX_RETRY_MS = 5_000;
/** A gateway that does not answer must not delay the others for long. */
const TIMEOUT_MS = 10_000;
/** Sent concurrently; the rest wait. */
const MAX_UNDER_WAY = 64;

export type EventStatus = "captured" | "declined" | "pending" | "refunded" | "disputed";
export type Manner = "none" | "twice" | "late" | "forged";

export class Webhooks {
  private readonly queue: (() => Promise<void>)[] = [];
  private underWay = 0;
  private stopped = false;
  /** Attempts so far that got no answer. */
  unanswered = 0;

  constructor(
    private readonly runtime: Runtime,
    private readonly url: string | undefined,
    private readonly secrets: readonly string[],
  ) {}

  /** Webhooks that have not been accepted yet. */
  get open(): number {
    return this.queue.length + this.underWay;
  }

  /** Reports a charge's status, or what has happened to its money since. */
  send(charge: Charge, status: EventStatus, manner: Manner = "none"): void {
    if (!this.url || this.secrets.length === 0) return;
    const { key, amount, currency } = charge;
    const id = `msg_${this.runtime.uuid()}`;
    const body = JSON.stringify({ key, amount, currency, status });
    if (manner === "forged") {
      // The forger claims the opposite and does not know the secret.
      const opposite = status === "captured" ? "declined" : "captured";
      const lie = JSON.stringify({ key, amount, currency, status: opposite });
      this.enqueue(() => this.post(`msg_${this.runtime.uuid()}`, lie, ["not the secret"], 1));
    }
    const delayMs = manner === "late" ? LATE_MS : 0;
    this.enqueue(() => this.post(id, body, this.secrets, ATTEMPTS, delayMs));
    if (manner === "twice") this.enqueue(() => this.post(id, body, this.secrets, ATTEMPTS));
  }

  stop(): void {
    this.stopped = true;
    this.queue.length = 0;
  }

  private enqueue(work: () => Promise<void>): void {
    this.queue.push(work);
    this.next();
  }

  private next(): void {
    while (this.underWay < MAX_UNDER_WAY && this.queue.length > 0 && !this.stopped) {
      const work = this.queue.shift() as () => Promise<void>;
      this.underWay++;
      void work().finally(() => {
        this.underWay--;
        this.next();
      });
    }
  }

  private async post(
    id: string,
    body: string,
    secrets: readonly string[],
    attempts: number,
    delayMs = 0,
  ): Promise<void> {
    await this.runtime.sleep(delayMs);
    for (let attempt = 1; attempt <= attempts && !this.stopped; attempt++) {
      const headers = {
        "content-type": "application/json",
        ...signWebhook(id, body, secrets, this.runtime.wallMs()),
      };
      const sent = fetch(this.url as string, {
        method: "POST",
        headers,
        body,
        signal: this.runtime.abortAfter(TIMEOUT_MS),
      });
      const response = await ignore(sent, "webhook_send");
      if (response) await response.body?.cancel();
      else this.unanswered++;

      // A refused one would be refused again.
      if (response && response.status < 500) return;
      await this.runtime.sleep(Math.min(MAX_RETRY_MS, RETRY_MS * attempt));
    }
  }
}
