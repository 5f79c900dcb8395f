// A part of a paid order: what one processing service has to do for it. It travels in a message of
// the exchange `fulfilment`, and the service's claim and report come back as rows in the order's
// shard.
import type { PART_WORDS } from "./limits.ts";
import { NAME_PATTERN } from "./order.ts";
import type { Traceparent } from "./trace.ts";

/** The message's type, and the version of the parts in it. */
export const PARTS_TYPE = "fulfilment.v1";

/** As a service gets it, in a JSON array. */
export interface Part {
  readonly user: string;
  readonly id: string;
  readonly saleId: string;
  readonly generation: number;
  /** From 1 to `of`: the order is dispatched when all are done. */
  readonly part: number;
  readonly of: number;
  /** The queue of the order's shard: where claims of it go. */
  readonly shard: number;
  /** Where the order was taken in. */
  readonly region: string;
  readonly lines: readonly {
    readonly sku: string;
    readonly qty: number;
    readonly category: string;
  }[];
  /** JSON text the client gave with its order; empty when it gave none. */
  readonly metadata: string;
  /** Of the order's request, if it named one. */
  readonly traceparent?: Traceparent;
  /** How often it has been asked for; absent: once. The newest alone can be put off. */
  readonly request?: number;
  /** When a service first could not do it, Unix ms. */
  readonly sinceMs?: number;
}

/** Names a part for good: whoever works on it may do so once under this key. */
export function partKey({
  user,
  id,
  generation,
  part,
}: Pick<Part, "user" | "id" | "generation" | "part">): string {
  return `${user}/${id}/${generation}/${part}`;
}

/**
 * What a service says of a part. `later`: it has claimed the part and could not do it; the ledger
 * asks again after a while.
 */
export type PartWord = (typeof PART_WORDS)[number];

export function isPart(value: unknown): value is Part {
  if (typeof value !== "object" || value === null) return false;
  const { user, id, generation, part, of, shard, lines } = value as Part;
  const named =
    typeof user === "string" &&
    NAME_PATTERN.test(user) &&
    typeof id === "string" &&
    id.length === 36;
  const counted =
    [generation, part, of].every((n) => Number.isSafeInteger(n) && n >= 1) &&
    Number.isSafeInteger(shard) &&
    shard >= 0;
  return named && counted && part <= of && Array.isArray(lines);
}

/** `eu.electronics`: regions have no dots, categories may have some. */
export function partKeyOf(region: string, category: string): string {
  return `${region}.${category}`;
}

/** The region in a gateway's id, which begins with it (cli/roles/gateway.ts). */
export function regionOfGateway(gateway: string): string {
  const dot = gateway.indexOf(".");
  return dot > 0 ? gateway.slice(0, dot) : ELSEWHERE;
}

/** Orders of a gateway that names no region. */
export const ELSEWHERE = "elsewhere";

/** Which service gets the parts of a category; of one region's orders only, when it names one. */
export interface Route {
  readonly category: string;
  /** Empty: every region's. */
  readonly region: string;
  readonly service: string;
}

/** The service for a category's parts; a route of its region goes before one of all. */
export function serviceOf(
  routes: ReadonlyMap<string, string>,
  region: string,
  category: string,
): string | undefined {
  return routes.get(`${region} ${category}`) ?? routes.get(` ${category}`);
}
