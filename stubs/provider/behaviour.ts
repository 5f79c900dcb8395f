// How the stub treats a charge besides charging it. The payment token may name a behaviour;
// otherwise a seeded draw per charge key picks one by share. The same seed draws the same
// behaviours.
import { SettingError } from "../../core/settings/settings.ts";

/**
 * Add new ones at the end, so that a seed draws the same for the existing ones.
 *
 * `decline` is permanent. Every other behaviour is shown once; later calls with the key are served
 * normally. With `*` a coin decides whether the charge was made behind the answer.
 *
 *   error_before, error_after       500, without and with the charge made
 *   timeout_before, timeout_after   no answer, likewise
 *   limited                         429
 *   slow                            answers late
 *   pending                         answers pending, and settles later by webhook
 *   twice, late, forged             captured, with an extra webhook: a duplicate, one that is
 *                                   seconds late, or a false one with a wrong signature
 *   html200 *, redirect *           a page with status 200; a redirect to a login page
 *   wrong_key *, wrong_amount *     captured, for another key; captured, for half the amount
 *   declined200 *                   status 200, declined; a coin decides whether that is true
 *   huge_answer *                   an endless answer
 *   refund_refused                  captured; its refund is refused permanently
 *   refund_conflict, refund_error * its refund is first answered 409; 500, made or not
 *   refund_pending                  its refund is made later and reported by webhook
 *   late_capture                    pending or 500, and captured much later without a webhook
 *   disputed, returned              captured, then disputed or refunded by the provider; by webhook
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
      throw new SettingError(`--shares: '${name}' is not one of ${BEHAVIOURS.join(", ")}`);
    const value = Number(share);
    if (share === "" || !(value >= 0 && value <= 1))
      throw new SettingError(`--shares: ${name} must be between 0 and 1, not '${share}'`);
    shares[name] = value;
    sum += value;
  }
  if (sum > 1 + 1e-9) throw new SettingError(`--shares: the sum is ${sum}, above 1`);
  return shares;
}

/**
 * The behaviour of a charge. The token `stub:decline` sets it for every attempt, `stub:decline:2`
 * for the first two. Any other token leaves it to the draw.
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

/** The coin of a key: whether something happened that the answer does not show. */
export function coin(key: string, seed: number): boolean {
  return (Bun.hash.xxHash32(`coin ${key}`, seed) & 1) === 1;
}

function isBehaviour(name: string): name is Misbehaviour {
  return (BEHAVIOURS as readonly string[]).includes(name);
}
