// What each invariant could be checked against: a check without data must not be taken for one that
// found nothing wrong.
import { INVARIANTS, type Invariant, type Reach } from "./findings.ts";
import type { Look } from "./look.ts";

/** Whose history was given: of no client, of some, or of all that there were. */
export type Clients = "none" | "some" | "all";

/** By what the invariant needs to be seen as a whole, or at all. */
const NEEDS: Partial<Record<Invariant, "clients" | "rest" | "provider">> = {
  I1: "clients",
  I2: "clients",
  I3: "clients",
  I4: "clients",
  I5: "rest",
  I6: "provider",
  I9: "rest",
  I10: "clients",
};
/** The ledger alone cannot violate these. */
const NOT_IN_LEDGER: ReadonlySet<Invariant> = new Set(["I2", "I9", "I10"]);

export function reachOf(
  clients: Clients,
  { atRest, captures }: Pick<Look, "atRest" | "captures">,
): Record<Invariant, Reach> {
  const there = {
    clients: clients !== "none",
    rest: atRest,
    provider: atRest && captures !== undefined,
  };
  const reach = (id: Invariant): Reach => {
    // Somebody whose history is missing may have sent any order that the ledger has.
    if (id === "I2" && clients !== "all") return "none";
    // A busy system may still write the line that explains an order.
    if ((id === "I2" || id === "I10") && !atRest) return "none";
    const need = NEEDS[id];
    if (need === undefined || there[need]) return "all";
    return NOT_IN_LEDGER.has(id) ? "none" : "ledger";
  };
  const ids = Object.keys(INVARIANTS) as Invariant[];
  return Object.fromEntries(ids.map((id) => [id, reach(id)])) as Record<Invariant, Reach>;
}
