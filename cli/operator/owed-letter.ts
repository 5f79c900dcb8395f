// A letter about money that is still owed, or whose charge is unclear. Without it the provider could
// not be asked again, so it may not be dropped.
import { isAttempt } from "../../core/domain/charge.ts";
import { moneyText } from "../../core/domain/money.ts";
import { subjectOf } from "../../core/domain/user-name.ts";
import type { Ledger } from "../../ledger/contract.ts";

const OWED: Readonly<Record<string, (money: string, user: string) => string>> = {
  refund_failed: (money, user) => `${money} are owed to ${user}`,
  unresolved: (money, user) => `whether ${money} were charged to ${user} is not known`,
};

/** Why it must stay; undefined: nothing is owed, as far as the ledger knows. */
export async function owedBy(
  ledger: Pick<Ledger, "orderStory">,
  body: unknown,
): Promise<string | undefined> {
  const of = (body ?? {}) as Parameters<typeof isAttempt>[0];
  if (!isAttempt(of)) return undefined;
  const { user, id, generation, attempt } = of;
  const story = await ledger.orderStory(user, id);
  const charge = story?.charges.find((c) => c.generation === generation && c.attempt === attempt);
  const owed = charge && OWED[charge.status];
  if (!owed) return undefined;
  const who = `${subjectOf(user)} (order ${id})`;
  return (
    `not dropped: ${owed(moneyText(charge.amount, charge.currency), who)}. Settle it at the ` +
    "provider, then redrive this letter, which records how it ended"
  );
}
