// One attempt, from its request to a definite answer.
//
//   charge ─ captured ─▶ captured
//          ├ declined ─▶ failed
//          ├ pending  ─▶ look up until it is definite (the webhook is usually faster)
//          ├ busy, away ▶ wait, ask again with the same key
//          └ unknown  ─▶ same key again, then look up: none ▶ same key again, else as above
//
// Unknown never becomes failed: only the provider's own word does that. That it has no trace of a call is no such word: the call may still be on its way,
// and asking again with its key is harmless whether it arrives or not. Whoever gives up in between (a crash) leaves the message with the
// broker, and the next worker asks again with the same key.
import type { ChargeRequest } from "../../core/domain/charge.ts";
import type { Breaker } from "./breaker.ts";
import type { LookUpAnswer, PaymentProvider } from "./provider.ts";

/** `later`: still not known, ask again with the same key. `stopped`: given up half-way, because the worker stops. */
export type ChargeResult =
  | { readonly word: "captured" | "failed"; readonly detail: string }
  | { readonly word: "later" }
  | { readonly word: "stopped" };

export interface ChargerOptions {
  readonly provider: PaymentProvider;
  readonly breaker: Breaker;
  readonly sleep: (ms: number) => Promise<unknown>;
  /** Waits after each look-up of a charge that stays pending or unknown, ms. */
  readonly lookUpAfterMs: readonly number[];
  readonly stopped: () => boolean;
}

/** Calls with one key before it is looked up instead. */
const CALLS_PER_KEY = 2;

export async function charge(
  request: ChargeRequest,
  options: ChargerOptions,
): Promise<ChargeResult> {
  const { provider, breaker, sleep, stopped } = options;
  for (let calls = 0; calls < CALLS_PER_KEY && !stopped(); ) {
    const wait = breaker.waitMs();
    if (wait > 0) {
      await sleep(wait);
      continue;
    }
    const answer = await provider.charge(request);
    switch (answer.kind) {
      case "captured":
        breaker.succeeded();
        return { word: "captured", detail: "" };
      case "declined":
        breaker.succeeded();
        return { word: "failed", detail: answer.reason };
      case "pending":
        breaker.succeeded();
        return untilDefinite(request, options);
      case "busy":
        breaker.succeeded();
        await sleep(answer.afterMs);
        break;
      case "away":
        breaker.failed(answer.why);
        break;
      case "unknown":
        breaker.failed(answer.why);
        calls++;
        break;
    }
  }
  return stopped() ? { word: "stopped" } : untilDefinite(request, options);
}

/** What the provider knows of a charge; where it knows nothing it is asked once more. */
async function knownOf(
  request: ChargeRequest,
  provider: PaymentProvider,
): Promise<Exclude<LookUpAnswer["kind"], "none">> {
  const known = await provider.lookUp(request);
  return known.kind === "none" ? (await provider.charge(request)).kind : known.kind;
}

/** Looks the charge up until the provider's word is definite. Look-ups are no attempts. */
async function untilDefinite(
  request: ChargeRequest,
  options: ChargerOptions,
): Promise<ChargeResult> {
  const { provider, sleep, lookUpAfterMs, stopped } = options;
  for (const waitMs of lookUpAfterMs) {
    if (stopped()) return { word: "stopped" };
    const answer = await knownOf(request, provider);
    if (answer === "captured") return { word: "captured", detail: "looked up" };
    if (answer === "declined") return { word: "failed", detail: "declined (looked up)" };
    await sleep(waitMs);
  }
  return { word: stopped() ? "stopped" : "later" };
}
