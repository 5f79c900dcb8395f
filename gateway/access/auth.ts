// Who is calling. A token is verified with algorithm, issuer and audience pinned and is then
// believed: until it expires if its key is fixed, else for a few minutes, since its key may have
// been withdrawn.
//
// Bad tokens must not cost more than good orders: a verified token is found by one look-up, cheap
// checks (shape, expiry, issuer) come before the signature, refused tokens are remembered for a few
// seconds, and the number verified at once is bounded.
import { decodeJwt, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";
import { shardOf } from "../../core/domain/shard.ts";
import { nameOfSubject, USER_RULE } from "../../core/domain/user-name.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { Problem, problem } from "../http/problem.ts";
import {
  type Algorithm,
  type Key,
  type KeySource,
  type Keys,
  KeysUnavailable,
  keysOf,
} from "./keys.ts";
import { Memory } from "./memory.ts";

export interface AuthOptions {
  readonly algorithm: Algorithm;
  readonly issuer: string;
  readonly audience: string;
  readonly key: KeySource;
  /** How far the issuer's clock may be from ours, for `exp`, `nbf` and `iat`. Default 30 s. */
  readonly toleranceMs?: number;
  /** The longest time from now to `exp`. Default 24 h. */
  readonly maxLifeMs?: number;
  /** Required `typ` of the header, such as `at+jwt`; without it any. */
  readonly type?: string;
  /** Names of claims; one within another is written with dots (`realm_access.roles`). */
  readonly claims?: Partial<ClaimNames>;
}

export interface ClaimNames {
  readonly user: string;
  readonly audience: string;
  readonly scope: string;
}

/** The claims of a verified token that matter here. */
export interface Principal {
  readonly user: string;
  /** The shard of `user`. */
  readonly shard: number;
  /** Its scopes; rights.ts says what they allow. */
  readonly service: boolean;
  readonly viewer: boolean;
  readonly operator: boolean;
  readonly expiresAtMs: number;
}

/** Longer tokens are refused unread. */
const MAX_TOKEN_LENGTH = 4_096;
/** Signatures verified at once: 50 ms of work. */
const MAX_VERIFYING = 512;
const MAX_REFUSED = 4_096;
/** Short, because a key may be published a moment after its first token. */
const REFUSED_FOR_MS = 5_000;
/** How long a verified token is believed while its key may be withdrawn. */
export const BELIEVED_FOR_MS = 300_000;
/** Characters of tokens that each memory holds at most, besides its number of tokens. */
const MEMORY_CHARS = 32 * 1024 * 1024;
/** Keys without an id that are tried for one token. */
const MAX_CANDIDATES = 8;
const SHAPE = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const DEFAULTS = { toleranceMs: 30_000, maxLifeMs: 24 * 3_600_000, type: "" };
const CLAIMS: ClaimNames = { user: "sub", audience: "aud", scope: "scope" };

interface Believed {
  readonly principal: Principal;
  /** When it is verified again, at the latest when it expires; wall ms. */
  readonly untilMs: number;
}

interface AuthDeps {
  readonly runtime: Runtime;
  readonly shards: number;
  /** Wall ms. */
  readonly clock: () => number;
  /** Verified tokens remembered. */
  readonly maxCached: number;
}

export class Auth {
  private readonly believed: Memory<Believed>;
  private readonly refused = new Memory<{ readonly problem: Problem; readonly untilMs: number }>(
    MAX_REFUSED,
    MEMORY_CHARS,
  );
  private readonly verifying = new Map<string, Promise<Principal | Problem>>();
  private readonly options: AuthOptions & typeof DEFAULTS;
  private readonly claims: ClaimNames;

  private constructor(
    options: AuthOptions,
    private readonly keys: Keys,
    private readonly deps: AuthDeps,
  ) {
    this.options = { ...DEFAULTS, ...options };
    this.claims = { ...CLAIMS, ...options.claims };
    this.believed = new Memory(deps.maxCached, MEMORY_CHARS);
  }

  /** Rejects if the key does not suit the algorithm. */
  static async create(options: AuthOptions, deps: AuthDeps): Promise<Auth> {
    return new Auth(options, await keysOf(options.algorithm, options.key, deps.runtime), deps);
  }

  /** The remembered principal of an Authorization header; undefined: ask header(). */
  known(header: string | null): Principal | undefined {
    if (header === null) return undefined;
    const believed = this.believed.get(header.slice(BEARER.length));
    return believed !== undefined &&
      believed.untilMs > this.deps.clock() &&
      header.startsWith(BEARER)
      ? believed.principal
      : undefined;
  }

  /** The principal of an Authorization header, or why it is refused. */
  header(header: string | null): Principal | Problem | Promise<Principal | Problem> {
    if (header === null) return problem("no_token");
    const token = tokenOf(header);
    if (token === undefined)
      return problem("no_token", "Authorization", "the scheme must be Bearer");
    return this.token(token);
  }

  token(token: string): Principal | Problem | Promise<Principal | Problem> {
    const nowMs = this.deps.clock();
    const believed = this.believed.get(token);
    if (believed && believed.untilMs > nowMs) return believed.principal;
    const refused = this.refused.get(token);
    if (refused && refused.untilMs > nowMs) return refused.problem;
    const cheap = this.judgeUnverified(token, nowMs);
    if (cheap) return cheap;
    let verifying = this.verifying.get(token);
    if (!verifying) {
      if (this.verifying.size >= MAX_VERIFYING)
        return problem("unavailable", "Authorization", "too many new tokens at once");
      verifying = this.verify(token).finally(() => this.verifying.delete(token));
      this.verifying.set(token, verifying);
    }
    return verifying;
  }

  /** Refuses what it can without checking the signature. */
  private judgeUnverified(token: string, nowMs: number): Problem | undefined {
    if (token.length > MAX_TOKEN_LENGTH || !SHAPE.test(token))
      return problem("bad_token", "Authorization", "not a JWT");
    try {
      const { exp, iss } = decodeJwt(token);
      if (typeof exp !== "number") return problem("bad_token", "exp", "the claim is required");
      if (exp * 1000 + this.options.toleranceMs <= nowMs) return problem("token_expired");
      if (!(exp * 1000 - nowMs <= this.options.maxLifeMs + this.options.toleranceMs))
        return problem("bad_token", "exp", "further ahead than this gateway accepts");
      if (iss !== this.options.issuer) return problem("bad_token", "iss", "wrong issuer");
      return undefined;
    } catch {
      return problem("bad_token", "Authorization", "not a JWT");
    }
  }

  private async verify(token: string): Promise<Principal | Problem> {
    const nowMs = this.deps.clock();
    try {
      const principal = this.principal(await this.payload(token, nowMs));
      if (principal instanceof Problem) return this.refuse(token, principal, nowMs);
      const untilMs = this.keys.mayChange
        ? Math.min(principal.expiresAtMs, nowMs + BELIEVED_FOR_MS)
        : principal.expiresAtMs;
      this.believed.set(token, { principal, untilMs });
      return principal;
    } catch (error) {
      return this.refuse(token, verdict(error), nowMs);
    }
  }

  /** Rejects if the token is not good, or cannot be judged. */
  private async payload(token: string, nowMs: number): Promise<JWTPayload> {
    const { algorithm, issuer, type, toleranceMs } = this.options;
    const rules = {
      algorithms: [algorithm],
      issuer,
      ...(type === "" ? {} : { typ: type }),
      clockTolerance: toleranceMs / 1000,
      currentDate: new Date(nowMs),
      requiredClaims: ["exp"],
    };
    const sinceMs = this.deps.runtime.monotonicMs();
    const key = await this.keys.current();
    try {
      return await verifyWith(token, key, rules);
    } catch (error) {
      const newer = fitsNoKey(error) ? await this.keys.newer(key, sinceMs) : undefined;
      if (!newer) throw error;
      return verifyWith(token, newer, rules);
    }
  }

  private principal(payload: JWTPayload): Principal | Problem {
    const { user, audience, scope } = this.claims;
    const subject = claimAt(payload, user);
    const name = typeof subject === "string" ? nameOfSubject(subject) : undefined;
    if (name === undefined) return problem("bad_token", user, USER_RULE);
    if (!wordsOf(claimAt(payload, audience)).includes(this.options.audience))
      return problem("bad_token", audience, "the claim does not have the required value");
    const scopes = wordsOf(claimAt(payload, scope));
    return {
      user: name,
      shard: shardOf(name, this.deps.shards),
      service: scopes.includes("service"),
      viewer: scopes.includes("viewer"),
      operator: scopes.includes("operator"),
      expiresAtMs: (payload.exp as number) * 1000 + this.options.toleranceMs,
    };
  }

  private refuse(token: string, reason: Problem, nowMs: number): Problem {
    this.believed.delete(token);
    if (reason.code === "bad_token")
      this.refused.set(token, { problem: reason, untilMs: nowMs + REFUSED_FOR_MS });
    return reason;
  }
}

const BEARER = "Bearer ";

/** The token of an Authorization header; undefined if its scheme is another. */
export function tokenOf(header: string): string | undefined {
  return header.slice(0, BEARER.length).toLowerCase() === BEARER.toLowerCase()
    ? header.slice(BEARER.length).trim()
    : undefined;
}

/** Keys without an id are tried one after the other. */
async function verifyWith(
  token: string,
  key: Key,
  rules: Parameters<typeof jwtVerify>[2],
): Promise<JWTPayload> {
  try {
    return (await jwtVerify(token, key as JWTVerifyGetKey, rules)).payload;
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    let tried = 0;
    for await (const candidate of error) {
      if (++tried > MAX_CANDIDATES) break;
      try {
        return (await jwtVerify(token, candidate, rules)).payload;
      } catch (mismatch) {
        if (!(mismatch instanceof errors.JWSSignatureVerificationFailed)) throw mismatch;
      }
    }
    throw new errors.JWKSNoMatchingKey();
  }
}

function fitsNoKey(error: unknown): boolean {
  return error instanceof errors.JWKSNoMatchingKey;
}

/** A claim by its name, or by the names on the way to it, with dots between. */
function claimAt(payload: JWTPayload, name: string): unknown {
  if (Object.hasOwn(payload, name)) return payload[name];
  let value: unknown = payload;
  for (const part of name.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part))
      return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

/** Words of a claim: text with spaces between, or an array. */
function wordsOf(claim: unknown): readonly unknown[] {
  return typeof claim === "string" ? claim.split(" ") : Array.isArray(claim) ? claim : [];
}

function verdict(error: unknown): Problem {
  if (error instanceof errors.JWTExpired) return problem("token_expired");
  if (error instanceof errors.JWTClaimValidationFailed)
    return problem("bad_token", error.claim, "the claim does not have the required value");
  if (error instanceof errors.JOSEAlgNotAllowed)
    return problem("bad_token", "alg", "not the configured algorithm");
  if (error instanceof KeysUnavailable || !(error instanceof errors.JOSEError))
    return problem(
      "unavailable",
      "Authorization",
      "the keys that verify tokens cannot be fetched now",
    );
  return problem("bad_token", "Authorization", "the signature does not match");
}
