// What the stub does with a charge, besides charging: chosen by the payment token where it names a behaviour, else by shares of a seeded
// draw per charge key. The draw is the same at every run with the same seed.
import { SettingError } from "../../core/settings.ts";

/**
 * `decline`, and for good. Once, and then the next call with the key is served as it should be: `error_before` and `error_after` (500, without
 * and with the charge made), `timeout_before` and `timeout_after` (no answer), `limited` (429). `slow` answers late, `pending` first says so
 * and settles later by webhook. `twice`, `late` and `forged` are captured, and then told by webhook once more: doubled, seconds after, or with a
 * lie under a wrong signature. What was answered at once needs no webhook.
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
] as const;
export type Behaviour = (typeof BEHAVIOURS)[number] | "none";

export type Shares = Readonly<Partial<Record<Exclude<Behaviour, "none">, number>>>;

/** `decline=0.1,slow=0.05` → shares between 0 and 1 that sum to 1 at most. */
export function parseShares(text: string): Shares {
  const shares: Partial<Record<Exclude<Behaviour, "none">, number>> = {};
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
 * The behaviour for a charge. A token `stub:decline` names it for every attempt, `stub:decline:2` for the first two attempts. Other tokens
 * leave it to the draw.
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

function isBehaviour(name: string): name is Exclude<Behaviour, "none"> {
  return (BEHAVIOURS as readonly string[]).includes(name);
}
