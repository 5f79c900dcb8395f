// Idempotency keys. A UUIDv7 is an order's id. Any other key has no time in it, by which a record
// of it could be found or given up, so the ledger gives it an id: whichever gateway claims the key
// first (docs/decisions/0026-idempotency-keys.md).
//
//   1. The id that the ledger has for a key is used, never the one proposed for it.
//   2. Claims go to the ledger one batch at a time, and their number is bounded.
//   3. A claim that fails has placed no order, whether the ledger has it or not: the next claim of
//      the key finds the same id.
import { UUID_V7 } from "../../core/domain/order-id.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { NoAnswer, Silence } from "../../core/runtime/silence.ts";
import type { ClaimedKey, KeyClaim, LedgerWriter } from "../../ledger/contract.ts";
import { type Problem, problem, shedSoon } from "../http/problem.ts";

/** Claims in one transaction of the ledger. */
const CLAIMS_AT_ONCE = 200;
/** Claims that wait: about a second of what a ledger takes. */
const MAX_WAITING = 2_000;
/** Far longer than a transaction takes, and within a client's patience. */
const CLAIM_WITHIN_MS = 5_000;
/** How long a key stands for its order. */
export const KEY_LIFE_MS = 24 * 3_600_000;

export const MAX_KEY_LENGTH = 255;
/** Visible ASCII, but nothing that separates or quotes values of a header. */
const BARE_KEY = /^[\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]+$/;
/** A string of RFC 9651, as the header's standard requires. */
const QUOTED_KEY = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** `id`: the key is the order's id. `key`: it has to be claimed. */
export type KeyRead =
  | { readonly kind: "id"; readonly id: string }
  | { readonly kind: "key"; readonly key: string };

/** A header's value. UUIDs count as the same in lower and upper case. */
export function readKey(header: string): KeyRead | Problem {
  const quoted = QUOTED_KEY.exec(header)?.[1]?.replaceAll(/\\(["\\])/g, "$1");
  const text = quoted ?? (BARE_KEY.test(header) ? header : "");
  if (text === "" || text.length > MAX_KEY_LENGTH) return BAD_KEY;
  const key = UUID.test(text) ? text.toLowerCase() : text;
  return UUID_V7.test(key) ? { kind: "id", id: key } : { kind: "key", key };
}

const BAD_KEY = problem(
  "out_of_range",
  "Idempotency-Key",
  `1 to ${MAX_KEY_LENGTH} visible ASCII characters, or such a text in quotes`,
);

interface Waiting {
  readonly claim: KeyClaim;
  readonly answer: PromiseWithResolvers<ClaimedKey>;
}

export interface OrderKeysOptions {
  readonly runtime: Runtime;
  /** Redis's clock, Unix ms: every gateway's, however wrong its own is. */
  readonly clock: () => number;
  readonly claimKeys: LedgerWriter["claimKeys"];
}

export class OrderKeys {
  private waiting: Waiting[] = [];
  private claiming = false;

  constructor(private readonly options: OrderKeysOptions) {}

  /** What the key stands for; a Problem if that cannot be known now. */
  async claim(claim: KeyClaim): Promise<ClaimedKey | Problem> {
    const { runtime } = this.options;
    if (this.waiting.length >= MAX_WAITING) return shedSoon(runtime.random); // 2
    const answer = Promise.withResolvers<ClaimedKey>();
    this.waiting.push({ claim: { ...claim, key: hashed(claim.key) }, answer });
    if (!this.claiming) void this.claimAll();
    const silence = new Silence(runtime, CLAIM_WITHIN_MS, () => undefined);
    try {
      return await Promise.race([answer.promise, silence.over]);
    } catch (error) {
      if (error instanceof NoAnswer || isAway(error)) return KEY_UNAVAILABLE; // 3
      throw error;
    } finally {
      silence.end();
    }
  }

  private async claimAll(): Promise<void> {
    this.claiming = true;
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, CLAIMS_AT_ONCE);
      try {
        const held = await this.options.claimKeys(
          batch.map(({ claim }) => claim),
          Math.floor(this.options.clock() - KEY_LIFE_MS),
        );
        batch.forEach(({ answer }, i) => {
          answer.resolve(held[i] as ClaimedKey);
        });
      } catch (error) {
        for (const { answer } of batch) answer.reject(error);
      }
    }
    this.claiming = false;
  }
}

const KEY_UNAVAILABLE = problem(
  "unavailable",
  "Idempotency-Key",
  "no effect: the ledger, which has the order of each key, is away",
);

/** A hash: of one length, and without any secret that a client may have used as a key. */
function hashed(key: string): string {
  return new Bun.CryptoHasher("sha256").update(key).digest("hex").slice(0, HASH_CHARS);
}
const HASH_CHARS = 32;

function isAway(error: unknown): boolean {
  return error instanceof Error && error.name === "LedgerUnavailable";
}
