// A part of a paid order: what one processing service has to do for it. It travels in a message of
// the exchange `fulfilment`. The service's claim and report return as rows to the order's shard.
import type { PART_WORDS } from "./limits.ts";
import type { Traceparent } from "./trace.ts";
import { isUserName } from "./user-name.ts";

/** Type of the message, with the version of its parts. */
export const PARTS_TYPE = "fulfilment.v1";

/** A part as its service receives it, in a JSON array. */
export interface Part {
  readonly user: string;
  readonly id: string;
  readonly saleId: string;
  readonly generation: number;
  /** From 1 to `of`: the order is dispatched when all parts are done. */
  readonly part: number;
  readonly of: number;
  /** The order's shard: claims go to its queue. */
  readonly shard: number;
  /** Region of the gateway that accepted the order. */
  readonly region: string;
  readonly lines: readonly {
    readonly sku: string;
    readonly qty: number;
    readonly category: string;
  }[];
  /** JSON text of the client's metadata; empty if absent. */
  readonly metadata: string;
  /** Trace of the order's request, if it named one. */
  readonly traceparent?: Traceparent;
  /** Number of the request; absent: 1. Only the newest can be put off. */
  readonly request?: number;
  /** When its service first could not do it, Unix ms. */
  readonly sinceMs?: number;
}

/** The idempotency key of a part: a service does its work once per key. */
export function partKey({
  user,
  id,
  generation,
  part,
}: Pick<Part, "user" | "id" | "generation" | "part">): string {
  return `${user}/${id}/${generation}/${part}`;
}

/**
 * A service's report on a part. `later`: it has claimed the part but could not do it yet, so the
 * ledger sends it again after a wait.
 */
export type PartWord = (typeof PART_WORDS)[number];

export function isPart(value: unknown): value is Part {
  if (typeof value !== "object" || value === null) return false;
  const { user, id, generation, part, of, shard, lines } = value as Part;
  const named = isUserName(user) && typeof id === "string" && id.length === 36;
  const counted =
    [generation, part, of].every((n) => Number.isSafeInteger(n) && n >= 1) &&
    Number.isSafeInteger(shard) &&
    shard >= 0;
  return named && counted && part <= of && Array.isArray(lines);
}

/** The routing key, such as `eu.electronics`. Regions have no dots, categories may. */
export function partKeyOf(region: string, category: string): string {
  return `${region}.${category}`;
}

/** The region in a gateway's id, which begins with it (cli/roles/gateway.ts). */
export function regionOfGateway(gateway: string): string {
  const dot = gateway.indexOf(".");
  return dot > 0 ? gateway.slice(0, dot) : ELSEWHERE;
}

/** The region of orders whose gateway names none. */
export const ELSEWHERE = "elsewhere";

/** Which service gets the parts of a category: of all regions, or of one. */
export interface Route {
  readonly category: string;
  /** Empty: all regions. */
  readonly region: string;
  readonly service: string;
}

/**
 * The service for a category's parts; the region's own route takes precedence. undefined: no route.
 */
export function serviceOf(
  routes: ReadonlyMap<string, string>,
  region: string,
  category: string,
): string | undefined {
  return routes.get(`${region} ${category}`) ?? routes.get(` ${category}`);
}
