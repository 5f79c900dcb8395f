// What the calls of the Hono app share: the parts they work with, who calls, and the JSON that was
// sent.
import type { Hono } from "hono";
import type { Metrics } from "../../core/metrics/metrics.ts";
import type { Auth, Principal } from "../access/auth.ts";
import type { ClientAddress } from "../access/client-address.ts";
import type { Origins } from "../access/origins.ts";
import type { Admission } from "../admission/admission.ts";
import type { Catalogue } from "../catalogue.ts";
import type { Counters } from "../intake/counters.ts";
import type { Intake } from "../intake/intake.ts";
import { readJson } from "../intake/json.ts";
import type { GatewayLimits } from "../intake/limits.ts";
import type { Undecided } from "../intake/undecided.ts";
import type { GatewayOptions } from "../ports.ts";
import { readBody } from "./body.ts";
import type { EventFeed } from "./event-feed.ts";
import { Problem, Refused } from "./problem.ts";
import type { StockReader } from "./stock-reader.ts";

export interface AppParts {
  readonly options: GatewayOptions;
  readonly limits: GatewayLimits;
  readonly auth: Auth;
  readonly catalogue: Catalogue;
  readonly admission: Admission;
  readonly intake: Intake;
  readonly counters: Counters;
  /** Whether it is about to stop, or stopping. */
  readonly leaving: () => boolean;
  readonly undecided: Undecided;
  readonly stock: StockReader;
  /** The operator has put units back: nothing is sold out until Redis says so anew. */
  readonly unitsBack: () => void;
  readonly feed: EventFeed;
  readonly metrics: () => Metrics;
  readonly origins: Origins;
  readonly addresses: ClientAddress;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

export interface Env {
  Bindings: { readonly peer: string };
  Variables: {
    principal: Principal;
    /** What an operator's call is about, for the record. */
    target?: string;
  };
}
export type App = Hono<Env>;

/** Who calls; throws Refused. */
export async function principalOf(parts: AppParts, header: string | undefined): Promise<Principal> {
  const verdict = await parts.auth.header(header ?? null);
  if (verdict instanceof Problem) throw new Refused(verdict);
  return verdict;
}

/** The request's JSON value; throws Refused. */
export async function jsonOf(request: Request, maxBytes: number): Promise<unknown> {
  const text = await readBody(request, maxBytes);
  const value = text instanceof Problem ? text : readJson(text);
  if (value instanceof Problem) throw new Refused(value);
  return value;
}
