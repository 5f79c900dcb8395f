// What the calls of the Hono app share: their parts, the caller's principal, and parsing of JSON.
import type { Context, Hono } from "hono";
import type { Metrics } from "../../core/metrics/metrics.ts";
import type { Auth, Principal } from "../access/auth.ts";
import type { ClientAddress } from "../access/client-address.ts";
import type { Origins } from "../access/origins.ts";
import type { Admission } from "../admission/admission.ts";
import type { LateRefusals } from "../admission/late-refusals.ts";
import type { Catalogue } from "../catalogue.ts";
import type { Counters } from "../intake/counters.ts";
import type { Intake } from "../intake/intake.ts";
import { readJson } from "../intake/json.ts";
import type { GatewayLimits } from "../intake/limits.ts";
import type { Undecided } from "../intake/undecided.ts";
import type { GatewayOptions } from "../ports.ts";
import type { Shop } from "../shop/open.ts";
import { readBody } from "./body.ts";
import type { ByteAllowance } from "./byte-allowance.ts";
import type { EventFeed } from "./event-feed.ts";
import type { Failures } from "./failures.ts";
import { Problem, Refused } from "./problem.ts";
import type { ReadAllowance } from "./read-allowance.ts";
import type { LongPoll } from "./read-feed.ts";
import type { StockReader } from "./stock-reader.ts";

export interface AppParts {
  readonly options: GatewayOptions;
  readonly limits: GatewayLimits;
  readonly access: {
    readonly auth: Auth;
    readonly origins: Origins;
    readonly addresses: ClientAddress;
    readonly late: LateRefusals;
  };
  readonly orders: {
    readonly intake: Intake;
    readonly admission: Admission;
    readonly counters: Counters;
    readonly undecided: Undecided;
  };
  readonly reads: {
    readonly catalogue: Catalogue;
    readonly stock: StockReader;
    readonly feed: EventFeed;
    readonly longPoll: LongPoll;
    readonly allowance: ReadAllowance;
    readonly bytes: ByteAllowance;
    readonly metricBytes: ByteAllowance;
  };
  /** Whether the gateway is stopping or about to. */
  readonly leaving: () => boolean;
  /** The operator has added units: nothing counts as sold out until Redis says so again. */
  readonly unitsBack: () => void;
  readonly metrics: () => Metrics;
  /** Absent: there is no /shop. */
  readonly shop: Shop | undefined;
  readonly failures: Failures;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

export interface Env {
  Bindings: { readonly peer: string };
  Variables: {
    principal: Principal;
    /** The subject of an operator's call, for the audit. */
    target?: string;
  };
}
export type App = Hono<Env>;

/** The caller; throws Refused. */
export async function principalOf(parts: AppParts, header: string | undefined): Promise<Principal> {
  const verdict = await parts.access.auth.header(header ?? null);
  if (verdict instanceof Problem) throw new Refused(verdict);
  return verdict;
}

/** The caller's address, as far as trusted proxies say it. */
export function addressOf(parts: AppParts, c: Context<Env>): string {
  return parts.access.addresses.of(c.env?.peer ?? "", c.req.header("x-forwarded-for"));
}

/** The request's JSON value; throws Refused. */
export async function jsonOf(request: Request, maxBytes: number): Promise<unknown> {
  const text = await readBody(request, maxBytes);
  const value = text instanceof Problem ? text : readJson(text);
  if (value instanceof Problem) throw new Refused(value);
  return value;
}
