// X6, under I5: follows what each user holds of limited items, entry by entry. Nobody exceeds a
// limit at the end of an entry, and nobody who would have stayed within it was refused for it. The
// order of taken and freed units within an entry is unknown, so a refusal counts as right if it may
// have come before anything was freed. A user whose lane may have been full of uncharged orders may
// be refused too.
import { MAX_LANE } from "../../../core/domain/lane.ts";
import type { ItemRecord } from "../../../ledger/audit.ts";
import { orderKey, type Slice } from "../evidence.ts";
import type { Findings } from "../findings.ts";
import type { DecodedEntry } from "../journal.ts";
import { type Line, linesText } from "../rows.ts";
import type { Terms } from "../terms.ts";

type Lines = readonly Line[];

interface Verdict {
  readonly state: string;
  readonly user: string;
  readonly id: string;
  readonly saleId: string;
  readonly lines: Lines;
}

const FREEING = new Set(["payment_failed", "expired", "cancelled"]);

export class LimitsCheck {
  /** `user sale sku` → units. */
  private readonly bought = new Map<string, number>();
  /** user → orders ever reserved for them: their lane cannot have held more. */
  private readonly reserved = new Map<string, number>();
  /** `sale sku` of the items that have a limit: one without never gets one. */
  private readonly limited: ReadonlySet<string>;

  constructor(
    items: Iterable<ItemRecord>,
    private readonly terms: Terms,
    private readonly slice: Slice,
    private readonly findings: Findings,
  ) {
    this.limited = new Set(
      [...items].flatMap(({ saleId, sku, limitPerUser }) =>
        limitPerUser > 0 ? [`${saleId} ${sku}`] : [],
      ),
    );
  }

  entry(entry: DecodedEntry): void {
    const taken = new Map<string, number>();
    const freed = new Map<string, number>();
    for (const { state, user, saleId, lines } of verdicts(entry))
      if (state === "reserved" && this.slice(user)) {
        this.add(taken, user, saleId, lines);
        this.reserved.set(user, (this.reserved.get(user) ?? 0) + 1);
      }
    for (const { what, user, saleId, lines } of entry.steps)
      if (FREEING.has(what) && this.slice(user)) this.add(freed, user, saleId, lines);
    for (const { state, user, id, saleId, lines } of verdicts(entry))
      if (
        state === "over_limit" &&
        this.slice(user) &&
        !this.over(entry, taken, user, saleId, lines)
      )
        this.findings.violation(
          "I5",
          "an order was refused as over the limit though it was not",
          `${orderKey(user, id)}: ${linesText(lines)}, entry ${entry.shard}-${entry.n}`,
        );
    this.settle(taken, freed, entry);
  }

  /** By any limit that may have held. */
  private over(
    { atMs }: DecodedEntry,
    taken: ReadonlyMap<string, number>,
    user: string,
    saleId: string,
    lines: Lines,
  ): boolean {
    if ((this.reserved.get(user) ?? 0) >= MAX_LANE) return true;
    for (const { sku, qty } of lines) {
      if (!this.limited.has(`${saleId} ${sku}`)) continue;
      const name = `${user} ${saleId} ${sku}`;
      const most = (this.bought.get(name) ?? 0) + (taken.get(name) ?? 0);
      if (this.terms.limits(saleId, sku, atMs).some((limit) => most + qty > limit)) return true;
    }
    return false;
  }

  private settle(
    taken: ReadonlyMap<string, number>,
    freed: ReadonlyMap<string, number>,
    { shard, n, atMs }: DecodedEntry,
  ): void {
    for (const name of new Set([...taken.keys(), ...freed.keys()])) {
      const units = (this.bought.get(name) ?? 0) + (taken.get(name) ?? 0) - (freed.get(name) ?? 0);
      if (units === 0) this.bought.delete(name);
      else this.bought.set(name, units);
      const [, saleId = "", sku = ""] = name.split(" ");
      const limit = Math.max(...this.terms.limits(saleId, sku, atMs));
      if (units > limit && taken.has(name))
        this.findings.violation(
          "I5",
          "a user has more than the limit",
          `${name}: ${units}, limit ${limit}, entry ${shard}-${n}`,
        );
    }
  }

  private add(units: Map<string, number>, user: string, saleId: string, lines: Lines): void {
    for (const { sku, qty } of lines) {
      if (!this.limited.has(`${saleId} ${sku}`)) continue;
      const name = `${user} ${saleId} ${sku}`;
      units.set(name, (units.get(name) ?? 0) + qty);
    }
  }
}

/** All orders that the entry decided. */
function* verdicts(entry: DecodedEntry): Generator<Verdict> {
  for (const { row, effect, state } of entry.decided)
    if (effect === "fresh" && row.kind === "o") yield { state, ...row };
  for (const { row, state } of entry.released) yield { state, ...row };
  for (const { what, user, id, saleId, lines, detail } of entry.steps)
    if (what === "redriven") yield { state: detail, user, id, saleId, lines };
}
