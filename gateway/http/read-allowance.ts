// How often a user may read orders. Reads are served by the gateway that also takes orders, so one
// user's polling must not delay another user's order. Callers that read for many users (services,
// viewers, operators) have no such bound.
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { Principal } from "../access/auth.ts";
import { may } from "../access/rights.ts";
import { TokenBuckets } from "../admission/token-bucket.ts";
import { Problem, Refused } from "./problem.ts";

/** What a read costs, in tokens: a list reads many orders, a stream begins with all its events. */
export const READ_COST = { order: 1, list: 5, stream: 2 } as const;

export class ReadAllowance {
  private readonly buckets: TokenBuckets;

  constructor(
    private readonly runtime: Pick<Runtime, "monotonicMs">,
    size: { readonly perSecond: number; readonly burst: number },
  ) {
    this.buckets = new TokenBuckets(size);
  }

  /** Throws Refused (429) if the user has read too much lately. */
  take(principal: Principal, what: keyof typeof READ_COST): void {
    if (may(principal, "read_for")) return;
    const { user } = principal;
    const nowMs = this.runtime.monotonicMs();
    for (let taken = 0; taken < READ_COST[what]; taken++) {
      const waitMs = this.buckets.take(user, nowMs);
      if (waitMs === 0) continue;
      // Otherwise a caller that keeps asking would never have enough.
      for (; taken > 0; taken--) this.buckets.giveBack(user);
      throw new Refused(tooOften(Math.ceil(waitMs / 1_000)));
    }
  }
}

function tooOften(seconds: number): Problem {
  const retryAfter = { "retry-after": String(seconds) };
  return new Problem("rate_limited", "user", "too many reads: follow the order", retryAfter);
}
