// I4 for orders without a number: of two orders by one user in one region, if one was acknowledged
// before the other was sent, it is decided first.
import { type Evidence, type LedgerOrder, orderKey, type SentOrder } from "../evidence.ts";
import type { Findings } from "../findings.ts";
import type { Witness } from "../witness.ts";

interface Placed {
  readonly key: string;
  readonly order: LedgerOrder;
  readonly sent: SentOrder;
}

export function checkUnnumbered(
  { sent, ledger }: Evidence,
  { whole }: Witness,
  findings: Findings,
): void {
  const byUser = new Map<string, Placed[]>();
  for (const order of ledger.values()) {
    const key = orderKey(order.user, order.id);
    const own = sent.get(key);
    if (order.seq !== 0 || !whole(order) || !own || own.sendings.length === 0) continue;
    const list = byUser.get(order.user);
    if (list) list.push({ key, order, sent: own });
    else byUser.set(order.user, [{ key, order, sent: own }]);
  }
  for (const placed of byUser.values()) if (placed.length > 1) checkUser(placed, findings);
}

/**
 * Walks the orders by decision. An earlier one must not have been sent after this one was
 * acknowledged.
 */
function checkUser(placed: Placed[], findings: Findings): void {
  placed.sort(
    (a, b) =>
      a.order.n - b.order.n || a.order.message - b.order.message || a.order.index - b.order.index,
  );
  const latest = new Map<string, { sentAt: number; key: string }>();
  for (const { key, sent } of placed) {
    for (const { region, result, t1 } of sent.sendings) {
      const before = region === undefined ? undefined : latest.get(region);
      if (result === "ok" && before && before.sentAt > t1) {
        findings.violation(
          "I4",
          "an order was decided before one acknowledged earlier",
          `${before.key} before ${key}`,
        );
        break;
      }
    }
    const only = onlyRegion(sent);
    if (only === undefined) continue; // it may have used another region's queue
    const sentAt = Math.min(...sent.sendings.map((s) => s.t0));
    if (sentAt > (latest.get(only)?.sentAt ?? 0)) latest.set(only, { sentAt, key });
  }
}

function onlyRegion({ sendings }: SentOrder): string | undefined {
  const taken = sendings.filter((s) => s.result !== "fail");
  const region = taken[0]?.region;
  return taken.every((s) => s.region === region) ? region : undefined;
}
