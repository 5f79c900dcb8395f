// Frequent refusals are answered late. Refusing a request is cheap, but a client that asks again as
// soon as it is refused would be refused as often as the machine can. So a bounded number of
// refusals per address, or user, is answered at once, and further ones wait.
//
// 1. Only refusals wait.
// 2. For how long is random: clients refused together do not return together.
// 3. The number that wait is bounded. Beyond it refusals are answered at once.
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { GatewayLimits } from "../intake/limits.ts";
import { TokenBuckets } from "./token-bucket.ts";

/** Shorter than any client waits for an answer. */
const MIN_MS = 1_000;
const MAX_MS = 2_000;

/**
 * Answers of an HTTP call that are the client's own fault. Not among them: 404 and 409, which a
 * correct client that follows its orders gets often.
 */
const OWN_FAULT: ReadonlySet<number> = new Set([400, 401, 403, 405, 413, 415, 422, 429]);

export class LateRefusals {
  private readonly prompt: TokenBuckets;
  private waiting = 0;
  /** Counter: refusals that waited. */
  held = 0;

  constructor(
    private readonly runtime: Pick<Runtime, "monotonicMs" | "random" | "sleep">,
    private readonly limits: Pick<GatewayLimits, "promptRefusals" | "heldRefusals">,
  ) {
    this.prompt = new TokenBuckets(limits.promptRefusals);
  }

  /** What to wait for before refusing `key`; undefined: nothing. */
  wait(key: string): Promise<void> | undefined {
    if (this.prompt.take(key, this.runtime.monotonicMs()) === 0) return undefined;
    if (this.waiting >= this.limits.heldRefusals) return undefined; // 3
    this.held++;
    return this.hold();
  }

  /** A refusal of `key`, now or later. */
  answer(key: string, refusal: () => Response): Response | Promise<Response> {
    const wait = this.wait(key);
    return wait ? wait.then(refusal) : refusal();
  }

  private async hold(): Promise<void> {
    this.waiting++;
    await this.runtime.sleep(MIN_MS + this.runtime.random() * (MAX_MS - MIN_MS)); // 2
    this.waiting--;
  }
}

/** Whether an answer of this status may wait. */
export function mayWait(status: number): boolean {
  return OWN_FAULT.has(status);
}
