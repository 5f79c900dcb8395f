// What the stub does with a charge besides charging: chosen by the payment token where it names a
// behaviour, else by shares of a seeded draw per charge key. The same seed draws the same.
import { SettingError } from "../../core/settings/settings.ts";

/**
 * New ones go to the end: what a seed draws for the others then stays as it is.
 *
 * `decline`, and for good. Everything else is shown once, and later calls with the key are served
 * as they should be. With `*` a coin decides whether the charge was made behind it.
 *
 *   error_before, error_after       500, without and with the charge made
 *   timeout_before, timeout_after   no answer, likewise
 *   limited                         429
 *   slow                            answers late
 *   pending                         says so, and settles later by webhook
 *   twice, late, forged             captured, then told by webhook once more: doubled, seconds
 *                                   after, or with a lie under a wrong signature
 *   html200 *, redirect *           a page with status 200; a log-in page elsewhere
 *   wrong_key *, wrong_amount *     captured, of another key; captured, half of it
 *   declined200 *                   status 200, declined; a coin decides whether it is
 *   huge_answer *                   an answer without an end
 *   refund_refused                  captured; its refund is refused for good
 *   refund_conflict, refund_error * its refund is first answered 409; 500, made or not
 *   refund_pending                  its refund is made later, and told by webhook
 *   late_capture                    says pending or 500, and captures much later without webhook
 *   disputed, returned              captured, then disputed, or refunded at the provider; by webhook
 */
export const BEHAVIOURS = [
  "decline",
  "error_before",
  "error_after",
  "timeout_before",
  "timeout_after",
  "limited",
  "slow",
  "pending",
  "twice",
  "late",
  "forged",
  "html200",
  "redirect",
  "wrong_key",
  "wrong_amount",
  "declined200",
  "huge_answer",
  "refund_refused",
  "refund_conflict",
  "refund_error",
  "refund_pending",
  "late_capture",
  "disputed",
  "returned",
] as const;
export type Misbehaviour = (typeof BEHAVIOURS)[number];
export type Behaviour = Misbehaviour | "none";

export type Shares = Readonly<Partial<Record<Misbehaviour, number>>>;

/** `decline=0.1,slow=0.05` → shares between 0 and 1 that sum to 1 at most. */
export function parseShares(text: string): Shares {
  const shares: Partial<Record<Misbehaviour, number>> = {};
  let sum = 0;
  for (const part of text.split(",").filter((p) => p !== "")) {
    const [name = "", share = ""] = part.split("=");
    if (!isBehaviour(name))
      throw new SettingError(`--shares: '${name}' is none of ${BEHAVIOURS.join(", ")}`);
    const value = Number(share);
    if (share === "" || !(value >= 0 && value <= 1))
      throw new SettingError(`--shares: ${name} must be from 0 to 1, not '${share}'`);
    shares[name] = value;
    sum += value;
  }
  if (sum > 1 + 1e-9) throw new SettingError(`--shares: they sum to ${sum}, more than 1`);
  return shares;
}

/**
 * The behaviour for a charge. A token `stub:decline` names it for every attempt, `stub:decline:2`
 * for the first two attempts. Other tokens leave it to the draw.
 */
export function behaviourFor(
  charge: { key: string; payment: string; attempt: number },
  shares: Shares,
  seed: number,
): Behaviour {
  const [stub, name = "", times] = charge.payment.split(":");
  if (stub === "stub" && isBehaviour(name))
    return times === undefined || charge.attempt <= Number(times) ? name : "none";
  let draw = Bun.hash.xxHash32(charge.key, seed) / 2 ** 32;
  for (const behaviour of BEHAVIOURS) {
    draw -= shares[behaviour] ?? 0;
    if (draw < 0) return behaviour;
  }
  return "none";
}

/** The coin of a key: whether something was done behind an answer that does not say so. */
export function coin(key: string, seed: number): boolean {
  return (Bun.hash.xxHash32(`coin ${key}`, seed) & 1) === 1;
}

function isBehaviour(name: string): name is Misbehaviour {
  return (BEHAVIOURS as readonly string[]).includes(name);
}
