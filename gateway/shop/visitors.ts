// Tokens for the visitors of the shop. Whoever asks becomes a buyer with a random name.
//
// 1. A token has no scope, and lasts a quarter of an hour.
// 2. A visitor stays the same one by showing the last token, until a day after it ended. Only names
//    made here are renewed.
// 3. An address gets a bounded number of tokens.
import { decodeJwt, jwtVerify, SignJWT } from "jose";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { type AuthOptions, tokenOf } from "../access/auth.ts";
import { TokenBuckets } from "../admission/token-bucket.ts";
import { Problem, Refused } from "../http/problem.ts";
import type { GatewayLimits } from "../intake/limits.ts";

export interface Visit {
  readonly token: string;
  readonly user: string;
  /** RFC 3339. */
  readonly expiresAt: string;
}

interface Deps {
  readonly runtime: Pick<Runtime, "monotonicMs" | "randomBytes">;
  /** Wall ms. */
  readonly clock: () => number;
  readonly auth: AuthOptions;
  readonly secret: string;
  readonly limits: Pick<GatewayLimits, "visitors">;
}

const LIFE_S = 900;
const RENEWABLE_S = 86_400;
const NAME_BYTES = 9;
const NAME = /^visitor-[\w-]{12}$/;
const CLAIMS = { user: "sub", audience: "aud" };

export class Visitors {
  private readonly buckets: TokenBuckets;
  private readonly key: Uint8Array;
  private readonly lifeS: number;

  constructor(private readonly deps: Deps) {
    this.buckets = new TokenBuckets(deps.limits.visitors);
    this.key = new TextEncoder().encode(deps.secret);
    this.lifeS = Math.min(LIFE_S, (deps.auth.maxLifeMs ?? LIFE_S * 1_000) / 1_000);
  }

  /** `header`: an Authorization header with the visitor's last token, if any. Throws Refused. */
  async token(address: string, header: string | undefined): Promise<Visit> {
    this.take(address); // 3
    return this.sign((await this.known(header)) ?? this.newName());
  }

  private take(address: string): void {
    const waitMs = this.buckets.take(address, this.deps.runtime.monotonicMs());
    if (waitMs === 0) return;
    const retryAfter = { "retry-after": String(Math.ceil(waitMs / 1_000)) };
    const detail = "too many visitors from this address";
    throw new Refused(new Problem("rate_limited", undefined, detail, retryAfter));
  }

  /** The visitor of an earlier token; undefined if it is no good, or somebody else's. */
  private async known(header: string | undefined): Promise<string | undefined> {
    const token = header === undefined ? undefined : tokenOf(header);
    if (token === undefined) return undefined;
    const { auth, clock } = this.deps;
    const rules = {
      algorithms: [auth.algorithm],
      issuer: auth.issuer,
      clockTolerance: RENEWABLE_S, // 2
      currentDate: new Date(clock()),
      requiredClaims: ["exp"],
    };
    try {
      await jwtVerify(token, this.key, rules);
    } catch {
      return undefined; // a new visitor, then
    }
    const name = decodeJwt(token)[this.claims.user];
    return typeof name === "string" && NAME.test(name) ? name : undefined;
  }

  private async sign(user: string): Promise<Visit> {
    const { auth, clock } = this.deps;
    const nowS = Math.floor(clock() / 1_000);
    const expiresS = nowS + this.lifeS; // 1
    const claims = { [this.claims.user]: user, [this.claims.audience]: auth.audience };
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: auth.algorithm, ...(auth.type ? { typ: auth.type } : {}) })
      .setIssuer(auth.issuer)
      .setIssuedAt(nowS)
      .setExpirationTime(expiresS)
      .sign(this.key);
    return { token, user, expiresAt: new Date(expiresS * 1_000).toISOString() };
  }

  private newName(): string {
    const random = Buffer.from(this.deps.runtime.randomBytes(NAME_BYTES)).toString("base64url");
    return `visitor-${random}`;
  }

  private get claims(): typeof CLAIMS {
    return { ...CLAIMS, ...this.deps.auth.claims };
  }
}
