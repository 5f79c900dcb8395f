// Parts that services have claimed over HTTP: part-leases.ts.
import type { Part } from "../core/domain/part.ts";

/** The identity of a part (core/domain/part.ts, partKey). */
export type PartId = Pick<Part, "user" | "id" | "generation" | "part">;

export interface LeaseRequest {
  readonly service: string;
  /** The caller's name for the claim; the same name gives the same parts. */
  readonly claim: string;
  readonly most: number;
  /** Redis's clock, as for all times here. */
  readonly nowMs: number;
  readonly untilMs: number;
}

/**
 * `none`: nothing waits. `ended`: the claim is known, and its time is over. `too_many`: the service
 * has too many claims with parts that are not reported.
 */
export type Leased =
  | { readonly kind: "leased"; readonly untilMs: number; readonly parts: readonly Part[] }
  | { readonly kind: "none" | "ended" | "too_many" };

/**
 * The result for a part. `later`: put off, so it comes again in a message. `gone`: it is not the
 * service's to do, since its order was cancelled or another service has it.
 */
export type Fate = "done" | "later" | "failed" | "gone";

export interface SettledClaim extends Pick<LeaseRequest, "service" | "claim" | "nowMs"> {
  readonly gone: readonly { readonly of: PartId; readonly fate: Fate }[];
  /** Their shard did not answer: another claim may have them after `backMs`. */
  readonly back: readonly PartId[];
  readonly backMs: number;
}

export interface ReportBegin {
  readonly service: string;
  readonly claim: string;
  readonly of: PartId;
  readonly nowMs: number;
  /** No other claim gets the part before this, so that the report can reach the ledger. */
  readonly holdUntilMs: number;
}

/** `unknown`: the service never had this part. `ended`: the claim does not have it any more. */
export type ReportBegun =
  | { readonly kind: "open"; readonly part: Part }
  | { readonly kind: "reported"; readonly fate: Fate }
  | { readonly kind: "unknown" | "ended" };

/** What its shard said of a part that a claim had; the claim `""`: nobody's. */
export interface LeaseEnd {
  /** With the number of the request that the shard was told of. */
  readonly of: PartId & Pick<Part, "request">;
  readonly claim: string;
  readonly fate: Fate;
  readonly nowMs: number;
}

export interface LapsedRequest {
  /** Leases that ended before this. */
  readonly beforeMs: number;
  readonly holdUntilMs: number;
  readonly most: number;
  /** What ended before this is forgotten. */
  readonly forgetBeforeMs: number;
}

export interface PartLeases {
  /**
   * Leases parts to a claim: those it has already, else those whose lease has ended, or those that
   * have `arrived` in messages. What arrived is kept in any case, so its message may be
   * acknowledged.
   */
  leaseParts(request: LeaseRequest, arrived: readonly Part[]): Promise<Leased>;
  settleClaim(settled: SettledClaim): Promise<void>;
  beginReport(begin: ReportBegin): Promise<ReportBegun>;
  /**
   * Ends a lease of this claim, unless it has an end already. If a newer request has come
   * meanwhile, the part is free for the next claim instead.
   */
  endLease(end: LeaseEnd): Promise<void>;
  /** Takes parts that no claim wants any more out of reach, to be sent in a message again. */
  lapsedParts(
    request: LapsedRequest,
  ): Promise<readonly { readonly service: string; readonly part: Part }[]>;
}
