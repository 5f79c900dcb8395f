// The stub's webhooks: signed, sent again until they are taken, and on demand doubled, late or forged.
import { SIGNATURE_HEADER, signWebhook } from "../../core/webhook-signature.ts";
import type { Charge } from "./book.ts";

const LATE_MS = 3_000;
const ATTEMPTS = 5;
const RETRY_MS = 500;
/** Sent at once; the rest waits its turn. */
const MAX_UNDER_WAY = 64;

export type Manner = "none" | "twice" | "late" | "forged";

export class Webhooks {
  private readonly queue: (() => Promise<void>)[] = [];
  private underWay = 0;
  private stopped = false;

  constructor(
    private readonly url: string | undefined,
    private readonly secret: string,
  ) {}

  send(charge: Charge, manner: Manner): void {
    if (!this.url) return;
    const body = JSON.stringify({ key: charge.key, status: charge.status });
    if (manner === "forged") {
      // The forger says the opposite, and does not know the secret.
      const lie = JSON.stringify({
        key: charge.key,
        status: charge.status === "captured" ? "declined" : "captured",
      });
      this.enqueue(() => this.post(lie, "not the secret", 1));
    }
    this.enqueue(() => this.post(body, this.secret, ATTEMPTS, manner === "late" ? LATE_MS : 0));
    if (manner === "twice") this.enqueue(() => this.post(body, this.secret, ATTEMPTS));
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

  private async post(body: string, secret: string, attempts: number, delayMs = 0): Promise<void> {
    await Bun.sleep(delayMs);
    for (let attempt = 1; attempt <= attempts && !this.stopped; attempt++) {
      const headers = {
        "content-type": "application/json",
        [SIGNATURE_HEADER]: signWebhook(body, secret, Date.now()),
      };
      const response = await fetch(this.url as string, { method: "POST", headers, body }).catch(
        () => undefined,
      );
      if (response?.ok || (response && response.status < 500)) return;
      await Bun.sleep(RETRY_MS * attempt);
    }
  }
}
