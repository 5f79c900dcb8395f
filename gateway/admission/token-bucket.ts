// Token buckets by key, each kept as one number (generic cell rate algorithm): the moment at which
// the bucket will be full again. Nothing is shared with other processes: a call usually costs one
// read of a Map.
//
// 1. Only full buckets are forgotten: a bucket untouched for as long as filling takes is full, so
//    two generations of that length hold all that matter.
// 2. Keys are bounded. With more users than that within one filling time, the oldest get their
//    tokens back.

export interface BucketSize {
  /** Tokens that return per second. */
  readonly perSecond: number;
  /** Tokens a full bucket holds. */
  readonly burst: number;
}

/** Monotonic ms. Changed in place: writing to the Map would cost as much as reading it. */
interface Bucket {
  fullAtMs: number;
}

/** Keys per generation. */
const MAX_KEYS = 200_000;

export class TokenBuckets {
  private young = new Map<string, Bucket>();
  private old = new Map<string, Bucket>();
  private turnsAtMs = 0;
  /** Ms per token. */
  private readonly tokenMs: number;
  /** Ms to fill a whole bucket. */
  readonly fillMs: number;

  constructor(readonly size: BucketSize) {
    this.tokenMs = 1_000 / size.perSecond;
    this.fillMs = size.burst * this.tokenMs;
  }

  /** Takes a token. Returns 0, or the ms until there is one. `nowMs` is monotonic. */
  take(key: string, nowMs: number): number {
    if (nowMs >= this.turnsAtMs || this.young.size >= MAX_KEYS) this.turn(nowMs); // 2
    const young = this.young.get(key);
    const bucket = young ?? this.old.get(key) ?? { fullAtMs: 0 };
    const fullAtMs = Math.max(nowMs, bucket.fullAtMs);
    const waitMs = fullAtMs + this.tokenMs - nowMs - this.fillMs;
    if (waitMs > EPSILON_MS) return waitMs;
    bucket.fullAtMs = fullAtMs + this.tokenMs;
    if (!young) this.young.set(key, bucket);
    return 0;
  }

  /** Returns a token that was not needed. */
  giveBack(key: string): void {
    const bucket = this.young.get(key);
    if (bucket) bucket.fullAtMs -= this.tokenMs;
  }

  /** Whole tokens left, and ms until the bucket is full. */
  look(key: string, nowMs: number): { left: number; fullInMs: number } {
    const bucket = this.young.get(key) ?? this.old.get(key);
    const fullInMs = Math.max(0, (bucket?.fullAtMs ?? 0) - nowMs);
    return { left: Math.floor((this.fillMs - fullInMs + EPSILON_MS) / this.tokenMs), fullInMs };
  }

  private turn(nowMs: number): void {
    this.old = this.young;
    this.young = new Map();
    this.turnsAtMs = nowMs + this.fillMs; // 1
  }
}

/** Sums of fractions of a millisecond are inexact. */
const EPSILON_MS = 1e-6;
