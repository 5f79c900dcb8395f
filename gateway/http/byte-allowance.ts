// How much may be read without a token, by address: a sale of ten thousand items is a megabyte each
// time, and sending it takes the gateway time.
import type { Runtime } from "../../core/runtime/runtime.ts";
import { TokenBuckets } from "../admission/token-bucket.ts";
import { Problem, Refused } from "./problem.ts";

/** Bytes of one token. */
const UNIT = 16 * 1024;

export class ByteAllowance {
  private readonly buckets: TokenBuckets;

  constructor(
    private readonly runtime: Pick<Runtime, "monotonicMs">,
    bytes: { readonly perSecond: number; readonly burst: number },
  ) {
    this.buckets = new TokenBuckets({
      perSecond: bytes.perSecond / UNIT,
      burst: Math.ceil(bytes.burst / UNIT),
    });
  }

  /** Throws Refused (429) if this address has read too much lately. */
  take(address: string, bytes: number): void {
    const nowMs = this.runtime.monotonicMs();
    for (let taken = 0; taken * UNIT < bytes; taken++) {
      const waitMs = this.buckets.take(address, nowMs);
      if (waitMs === 0) continue;
      // Otherwise a caller that keeps asking would never have enough.
      for (; taken > 0; taken--) this.buckets.giveBack(address);
      const retryAfter = { "retry-after": String(Math.ceil(waitMs / 1_000)) };
      const detail = "too many bytes read from this address";
      throw new Refused(new Problem("rate_limited", undefined, detail, retryAfter));
    }
  }
}
