// Parts over HTTP: docs/fulfilment.md. The token's subject names the service.
//
//  1. A claim without an answer is sent again under its name, which gives the same parts.
//  2. A part is reported under the claim that it came with. If its lease has ended meanwhile, the
//     report has no effect, and the part comes again.
//  3. A part that was given up has its report: whether its work then returns or throws changes
//     nothing.
import { type Gateways, isObject } from "./gateways.ts";
import { uuidV7 } from "./ids.ts";
import { wallMs } from "./platform.ts";
import { Refused } from "./problem.ts";
import { type Part, type PartSource, partKey } from "./service.ts";
import { settle, type Waiting } from "./settle.ts";
import type { Sluice } from "./sluice.ts";

export interface HttpPartsOptions {
  /** How long a part stays with this process without a report: 15 minutes. Longer than its work. */
  readonly leaseMs?: number;
}

/** More than the 10 minutes of work that Service allows. */
const LEASE_MS = 900_000;
const MOST_PARTS = 100;
const MOST_WAIT_S = 30;
/** For the answer to a claim, after its wait. */
const ANSWER_MS = 15_000;

export class HttpParts implements PartSource {
  private readonly gateways: Gateways;
  private readonly leaseS: number;
  /** A claim whose answer did not arrive. */
  private open: string | undefined;
  /** The claim of each part that is not reported. */
  private readonly claims = new Map<string, string>();
  /** Parts that were given up, while their work has not ended (3). */
  private readonly givenUp = new Set<string>();

  constructor(sluice: Pick<Sluice, "gateways">, { leaseMs = LEASE_MS }: HttpPartsOptions = {}) {
    if (!(leaseMs >= 1_000 && leaseMs <= 3_600_000))
      throw new RangeError("leaseMs must be from 1,000 to 3,600,000");
    this.gateways = sluice.gateways;
    this.leaseS = Math.round(leaseMs / 1_000);
  }

  async claim(most: number, waitMs: number, signal: AbortSignal): Promise<readonly Part[]> {
    this.open ??= uuidV7(wallMs()); // 1
    const claim = this.open;
    const wait = Math.min(MOST_WAIT_S, Math.max(0, Math.floor(waitMs / 1_000)));
    const body = { claim, max: Math.min(most, MOST_PARTS), wait, lease: this.leaseS };
    const attemptMs = wait * 1_000 + ANSWER_MS;
    const parts = await this.post("claim of parts", "claim", body, readParts, {
      attemptMs,
      waiting: { deadlineMs: 2 * attemptMs, signal },
    }).catch((error: unknown) => {
      if (error instanceof Refused) this.open = undefined;
      throw error;
    });
    this.open = undefined;
    for (const part of parts) {
      this.claims.set(partKey(part), claim);
      this.givenUp.delete(partKey(part)); // an operator has sent it again
    }
    return parts;
  }

  async done(part: Part, waiting: Waiting = {}): Promise<void> {
    if (this.givenUp.delete(partKey(part))) return;
    await this.report(part, { outcome: "done" }, waiting);
  }

  async later(part: Part, waiting: Waiting = {}): Promise<void> {
    if (this.givenUp.delete(partKey(part))) return;
    await this.report(part, { outcome: "later" }, waiting);
  }

  /** Leaves the part to an operator: it cannot be done. Call it in `work`, then return. */
  async giveUp(part: Part, reason: string, waiting: Waiting = {}): Promise<void> {
    await this.report(part, { outcome: "failed", reason }, waiting);
    this.givenUp.add(partKey(part));
  }

  /** Its lease ends, and another claim gets it. */
  failed(part: Part): void {
    this.claims.delete(partKey(part));
  }

  async close(): Promise<void> {
    this.claims.clear();
    this.givenUp.clear();
  }

  private async report(part: Part, report: object, waiting: Waiting): Promise<void> {
    const key = partKey(part);
    const claim = this.claims.get(key);
    if (claim === undefined) throw new TypeError(`part ${key} is not claimed here`);
    await this.post(`report of part ${key}`, "done", { claim, key, ...report }, () => true, {
      waiting,
    }); // 2
    this.claims.delete(key);
  }

  private post<T>(
    what: string,
    path: "claim" | "done",
    body: object,
    read: (body: unknown) => T | undefined,
    { attemptMs, waiting }: { readonly attemptMs?: number; readonly waiting: Waiting },
  ): Promise<T> {
    const call = { method: "POST", path: `/v1/parts/${path}`, body } as const;
    return settle({
      ...waiting,
      what,
      attempt: (signal) =>
        this.gateways.attempt(
          attemptMs === undefined ? call : { ...call, attemptMs },
          signal,
          (reply) => read(reply.body),
        ),
    });
  }
}

function readParts(body: unknown): readonly Part[] | undefined {
  return isObject(body) && Array.isArray(body.parts) ? (body.parts as Part[]) : undefined;
}
