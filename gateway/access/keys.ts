// Which keys may have signed a token: one fixed key or set, or a set that a URL publishes (JWKS,
// RFC 7517).
//
// A published set is fetched again when it is a few minutes old, so that a withdrawn key is soon
// believed no longer, and at once when a token names a key that is not in it. While it cannot be
// fetched, the keys of the last set are used, for a day at most. Without any, nothing can be said
// about a token: that is KeysUnavailable, never a refusal.
import { createLocalJWKSet, importSPKI, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import { maskedUrl } from "../../core/domain/masked.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import { ended } from "../../core/runtime/ignored.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";

export type KeySource =
  | { readonly kind: "secret"; readonly secret: string }
  | { readonly kind: "pem"; readonly pem: string }
  | { readonly kind: "jwks"; readonly jwks: JSONWebKeySet }
  | { readonly kind: "jwksUrl"; readonly url: string };

export type Algorithm = "HS256" | "RS256" | "ES256" | "EdDSA";
export type Key = CryptoKey | JWTVerifyGetKey;

/** The keys are not available now, so no token can be judged. */
export class KeysUnavailable extends Error {
  override name = "KeysUnavailable";
}

export interface Keys {
  /** Whether a key may be withdrawn while the gateway runs. */
  readonly mayChange: boolean;
  /** What to verify with. Rejects with KeysUnavailable. */
  current(): Key | Promise<Key>;
  /**
   * Called when a token that arrived at `sinceMs` (monotonic) fits none of `tried`: resolves with
   * newer keys, or undefined if there are none. Rejects with KeysUnavailable if that cannot be told
   * now.
   */
  newer(tried: Key, sinceMs: number): Promise<Key | undefined>;
}

/** RFC 7518 §3.2: the key must be as long as the hash. */
const MIN_SECRET_BYTES = 32;

/** Rejects if the key does not suit the algorithm. */
export async function keysOf(
  algorithm: Algorithm,
  source: KeySource,
  runtime: Runtime,
): Promise<Keys> {
  if ((source.kind === "secret") !== (algorithm === "HS256"))
    throw new Error(
      `auth: ${algorithm} needs ` +
        (algorithm === "HS256" ? "a shared secret" : "a public key (PEM or JWKS)"),
    );
  switch (source.kind) {
    case "secret":
      return fixed(await hmacKey(source.secret));
    case "pem":
      return fixed(await importSPKI(source.pem, algorithm));
    case "jwks":
      return fixed(createLocalJWKSet(source.jwks));
    case "jwksUrl":
      return new PublishedKeys(source.url, runtime);
  }
}

function fixed(key: Key): Keys {
  return { mayChange: false, current: () => key, newer: async () => undefined };
}

function hmacKey(secret: string): Promise<CryptoKey> {
  const bytes = new TextEncoder().encode(secret);
  if (bytes.length < MIN_SECRET_BYTES)
    throw new Error(`auth: the shared secret must have at least ${MIN_SECRET_BYTES} bytes`);
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return crypto.subtle.importKey("raw", bytes, algorithm, false, ["verify"]);
}

const MINUTE = 60_000;
/** A set of this age is fetched again in the background; of twice this age, before it is used. */
const FRESH_MS = 5 * MINUTE;
/** A set that cannot be fetched again is used for this long. */
const STALE_MS = 24 * 60 * MINUTE;
/** At least this long between two requests, whatever keys strangers' tokens name. */
const BETWEEN_MS = 2_000;
const TIMEOUT_MS = 3_000;
/** A set has a few kilobytes; more than this is left unread. */
const MAX_BYTES = 256 * 1024;
/** Tokens that wait for a fetch: strangers must not occupy every place for new tokens. */
const MAX_WAITING = 64;

export class PublishedKeys implements Keys {
  readonly mayChange = true;
  private keys: Key | undefined;
  /** When the request for `keys` was sent, monotonic ms. */
  private askedAtMs = Number.NEGATIVE_INFINITY;
  private triedAtMs = Number.NEGATIVE_INFINITY;
  private fetching: Promise<void> | undefined;
  private waiting = 0;
  private lastError = "it has not been fetched yet";

  constructor(
    private readonly url: string,
    private readonly runtime: Runtime,
  ) {}

  async current(): Promise<Key> {
    const ageMs = this.runtime.monotonicMs() - this.askedAtMs;
    if (ageMs > FRESH_MS) {
      const fetching = this.fetchSoon();
      if (fetching && ageMs > 2 * FRESH_MS) await this.wait(fetching);
    }
    if (this.keys && this.runtime.monotonicMs() - this.askedAtMs <= STALE_MS) return this.keys;
    throw new KeysUnavailable(
      `the key set ${maskedUrl(this.url)} cannot be fetched: ${this.lastError}`,
    );
  }

  async newer(tried: Key, sinceMs: number): Promise<Key | undefined> {
    if (this.keys !== tried) return this.keys;
    if (this.askedAtMs >= sinceMs) return undefined;
    const fetching = this.fetchSoon();
    if (!fetching) throw new KeysUnavailable("the key set was fetched a moment ago");
    await this.wait(fetching);
    if (this.keys !== tried) return this.keys;
    if (this.askedAtMs >= sinceMs) return undefined;
    throw new KeysUnavailable(
      `the key set ${maskedUrl(this.url)} cannot be fetched: ${this.lastError}`,
    );
  }

  /** The fetch under way or a new one; undefined if the last one was a moment ago. */
  private fetchSoon(): Promise<void> | undefined {
    if (this.fetching) return this.fetching;
    const nowMs = this.runtime.monotonicMs();
    if (nowMs - this.triedAtMs < BETWEEN_MS) return undefined;
    this.triedAtMs = nowMs;
    this.fetching = this.fetch(nowMs).finally(() => {
      this.fetching = undefined;
    });
    return this.fetching;
  }

  private async wait(fetching: Promise<void>): Promise<void> {
    if (this.waiting >= MAX_WAITING)
      throw new KeysUnavailable("too many tokens wait for the key set");
    this.waiting++;
    await fetching;
    this.waiting--;
  }

  /** Never rejects. */
  private async fetch(nowMs: number): Promise<void> {
    const abort = new AbortController();
    const { promise: late, reject } = Promise.withResolvers<never>();
    void ended(late);
    const timer = this.runtime.startTimer(() => {
      reject(new Error(`no answer within ${TIMEOUT_MS} ms`));
      abort.abort();
    }, TIMEOUT_MS);
    try {
      const set = await Promise.race([readSet(this.url, abort.signal), late]);
      this.keys = createLocalJWKSet(set);
      this.askedAtMs = nowMs;
    } catch (error) {
      this.lastError = messageOf(error);
      abort.abort();
    } finally {
      this.runtime.stopTimer(timer);
    }
  }
}

/** A redirect is not followed: its target was never configured. */
async function readSet(url: string, signal: AbortSignal): Promise<JSONWebKeySet> {
  const response = await fetch(url, {
    signal,
    redirect: "manual",
    headers: { accept: "application/json, application/jwk-set+json" },
  });
  if (response.status !== 200) throw new Error(`it answers with status ${response.status}`);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BYTES) throw new Error(`it is longer than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString("utf8")) as JSONWebKeySet;
}
