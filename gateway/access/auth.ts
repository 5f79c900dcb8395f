// Who is calling. A token is verified once, with algorithm, issuer and audience pinned, and trusted
// until it expires.
//
// Bad tokens must not cost more than good orders: a verified token is found by one look-up, cheap
// checks (shape, expiry, issuer) come before the signature, refused tokens are remembered for a few
// seconds, and the number verified at once is bounded.
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  decodeJwt,
  errors,
  importSPKI,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
  jwtVerify,
} from "jose";
import { NAME_PATTERN } from "../../core/domain/order.ts";
import { shardOf } from "../../core/domain/shard.ts";
import { Problem, problem } from "../http/problem.ts";

export type Algorithm = "HS256" | "RS256" | "ES256" | "EdDSA";

export interface AuthOptions {
  readonly algorithm: Algorithm;
  readonly issuer: string;
  readonly audience: string;
  readonly key:
    | { readonly kind: "secret"; readonly secret: string }
    | { readonly kind: "pem"; readonly pem: string }
    | { readonly kind: "jwks"; readonly jwks: JSONWebKeySet }
    | { readonly kind: "jwksUrl"; readonly url: string };
}

/** The claims of a verified token that matter here. */
export interface Principal {
  readonly user: string;
  /** The shard of `user`. */
  readonly shard: number;
  /** Scope `operator`: may call /v1/admin. */
  readonly operator: boolean;
  /** Scope `service`: may place and read other users' orders. */
  readonly service: boolean;
  readonly expiresAtMs: number;
}

/** Longer tokens are refused unread. */
const MAX_TOKEN_LENGTH = 4_096;
/** RFC 7518 §3.2: the key must be as long as the hash. */
const MIN_SECRET_BYTES = 32;
/** Signatures verified at once: 50 ms of work. */
const MAX_VERIFYING = 512;
const MAX_REFUSED = 4_096;
/** Short, because a key may be published a moment after its first token. */
const REFUSED_FOR_MS = 5_000;
const SHAPE = /^[\w-]+\.[\w-]+\.[\w-]+$/;

export class Auth {
  private readonly verified = new Map<string, Principal>();
  private readonly refused = new Map<
    string,
    { readonly problem: Problem; readonly untilMs: number }
  >();
  private readonly verifying = new Map<string, Promise<Principal | Problem>>();

  private constructor(
    private readonly options: AuthOptions,
    private readonly key: CryptoKey | JWTVerifyGetKey,
    private readonly shards: number,
    private readonly clock: () => number,
    private readonly maxCached: number,
  ) {}

  /** Rejects if the key does not suit the algorithm. */
  static async create(
    options: AuthOptions,
    deps: { shards: number; clock: () => number; maxCached: number },
  ): Promise<Auth> {
    return new Auth(options, await loadKey(options), deps.shards, deps.clock, deps.maxCached);
  }

  /** The cached principal of an Authorization header; undefined: ask header(). */
  known(header: string | null): Principal | undefined {
    if (header === null) return undefined;
    const principal = this.verified.get(header.slice(BEARER.length));
    return principal !== undefined &&
      principal.expiresAtMs > this.clock() &&
      header.startsWith(BEARER)
      ? principal
      : undefined;
  }

  /** The principal of an Authorization header, or why it is refused. */
  header(header: string | null): Principal | Problem | Promise<Principal | Problem> {
    if (header === null) return problem("no_token");
    if (!/^bearer /i.test(header))
      return problem("no_token", "Authorization", "the scheme must be Bearer");
    return this.token(header.slice(BEARER.length).trim());
  }

  token(token: string): Principal | Problem | Promise<Principal | Problem> {
    const nowMs = this.clock();
    const known = this.verified.get(token);
    if (known) {
      if (known.expiresAtMs > nowMs) return known;
      this.verified.delete(token);
      return problem("token_expired");
    }
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
      const claims = decodeJwt(token);
      if (typeof claims.exp !== "number")
        return problem("bad_token", "exp", "the claim is required");
      if (claims.exp * 1000 <= nowMs) return problem("token_expired");
      if (claims.iss !== this.options.issuer) return problem("bad_token", "iss", "wrong issuer");
      return undefined;
    } catch {
      return problem("bad_token", "Authorization", "not a JWT");
    }
  }

  private async verify(token: string): Promise<Principal | Problem> {
    const nowMs = this.clock();
    try {
      const { algorithm, issuer, audience } = this.options;
      const rules = {
        algorithms: [algorithm],
        issuer,
        audience,
        currentDate: new Date(nowMs),
        requiredClaims: ["exp", "sub"],
      };
      const { payload } = await jwtVerify(token, this.key as JWTVerifyGetKey, rules);
      const principal = this.principal(
        payload.sub as string,
        payload.scope,
        (payload.exp as number) * 1000,
      );
      if (principal instanceof Problem) return this.refuse(token, principal, nowMs);
      keep(this.verified, token, principal, this.maxCached);
      return principal;
    } catch (error) {
      return this.refuse(token, verdict(error), nowMs);
    }
  }

  private principal(sub: string, scope: unknown, expiresAtMs: number): Principal | Problem {
    if (!NAME_PATTERN.test(sub))
      return problem("bad_token", "sub", `must match ${NAME_PATTERN.source}`);
    const scopes = typeof scope === "string" ? scope.split(" ") : [];
    return {
      user: sub,
      shard: shardOf(sub, this.shards),
      operator: scopes.includes("operator"),
      service: scopes.includes("service"),
      expiresAtMs,
    };
  }

  private refuse(token: string, reason: Problem, nowMs: number): Problem {
    if (reason.code === "bad_token")
      keep(this.refused, token, { problem: reason, untilMs: nowMs + REFUSED_FOR_MS }, MAX_REFUSED);
    return reason;
  }
}

const BEARER = "Bearer ";

/** Adds to a bounded map, evicting the oldest entry. */
function keep<V>(map: Map<string, V>, key: string, value: V, max: number): void {
  if (map.size >= max) map.delete(map.keys().next().value as string);
  map.set(key, value);
}

function verdict(error: unknown): Problem {
  if (error instanceof errors.JWTExpired) return problem("token_expired");
  if (error instanceof errors.JWTClaimValidationFailed)
    return problem("bad_token", error.claim, "the claim does not have the required value");
  if (error instanceof errors.JOSEAlgNotAllowed)
    return problem("bad_token", "alg", "not the configured algorithm");
  // The key set could not be fetched, which is not the token's fault.
  if (!(error instanceof errors.JOSEError) || error instanceof errors.JWKSTimeout)
    return problem("unavailable", "Authorization");
  return problem("bad_token", "Authorization", "the signature does not match");
}

async function loadKey({ algorithm, key }: AuthOptions): Promise<CryptoKey | JWTVerifyGetKey> {
  if ((key.kind === "secret") !== (algorithm === "HS256"))
    throw new Error(
      `auth: ${algorithm} needs ` +
        (algorithm === "HS256" ? "a shared secret" : "a public key (PEM or JWKS)"),
    );
  switch (key.kind) {
    case "secret": {
      const bytes = new TextEncoder().encode(key.secret);
      if (bytes.length < MIN_SECRET_BYTES)
        throw new Error(`auth: the shared secret must have at least ${MIN_SECRET_BYTES} bytes`);
      return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, [
        "verify",
      ]);
    }
    case "pem":
      return importSPKI(key.pem, algorithm);
    case "jwks":
      return createLocalJWKSet(key.jwks);
    case "jwksUrl":
      return createRemoteJWKSet(new URL(key.url));
  }
}
