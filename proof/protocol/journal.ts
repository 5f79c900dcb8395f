// Asks the specification of the protocol whether it allows the journal that a real run left in its
// ledger (docs/protocol/journal.qnt). All that is decided here is the order in which the entries
// of several shards are taken: by Redis's clock, and within a shard by their place in the journal.
import type {
  ItemRecord,
  JournalEntry,
  LedgerAudit,
  OperationRecord,
  Position,
  SaleRecord,
} from "../../ledger/audit.ts";
import { Random } from "./choices.ts";
import type { Judged } from "./judged.ts";
import { EntryNumbers, OutsideTheSpecification, type Recorded, recordedOf } from "./recorded.ts";
import { loadSpec, type Spec } from "./spec.ts";
import { fieldOf, QuintMap, type Value } from "./values.ts";

export interface Journal {
  /** Of each shard, in the order of the ledger. */
  readonly shards: ReadonlyMap<number, readonly JournalEntry[]>;
  readonly positions: readonly Position[];
  readonly items: readonly ItemRecord[];
  readonly sales: readonly SaleRecord[];
  readonly operations: readonly OperationRecord[];
  /** When Redis was rebuilt, Unix ms; undefined: not all is on record. */
  readonly rebuilds: readonly number[] | undefined;
}

export async function readJournal(audit: LedgerAudit): Promise<Journal> {
  const positions = await audit.shards();
  const shards = new Map<number, JournalEntry[]>();
  for (const { shard } of positions) {
    const entries: JournalEntry[] = [];
    for await (const some of audit.entries(shard)) entries.push(...some);
    shards.set(shard, entries);
  }
  return {
    ...{ shards, positions },
    items: await audit.items(),
    sales: await audit.sales(),
    operations: await audit.operations(),
    rebuilds: await audit.rebuilds(),
  };
}

export function loadJournalSpec(): Spec {
  return loadSpec("journal.qnt", ["newUnits", "newShard", "acceptEntry", "endsAt"], new Random(1));
}

/** Reads and judges the journal of a ledger. */
export async function judgeLedger(audit: LedgerAudit): Promise<Judged> {
  return judgeJournal(loadJournalSpec(), await readJournal(audit));
}

export function judgeJournal(spec: Spec, journal: Journal): Judged {
  return new JournalJudge(spec, journal).judge();
}

/** An entry, translated. */
interface Taken extends Recorded {
  readonly entry: JournalEntry;
}

class NotAllowed extends Error {}

class JournalJudge {
  private readonly numbers = new EntryNumbers();
  private readonly checks = new Map<number, Value>();
  private readonly whole: boolean;
  private units: Value;
  private entries = 0;

  constructor(
    private readonly spec: Spec,
    private readonly journal: Journal,
  ) {
    this.whole = neverRebuilt(journal);
    this.units = this.call("newUnits", itemsOf(journal), salesOf(journal), this.whole);
    for (const shard of journal.shards.keys())
      this.checks.set(shard, this.call("newShard", this.units));
  }

  judge(): Judged {
    const orders = () => (fieldOf(this.units, "wishes") as QuintMap).byKey.size;
    const so = (flaw: string | undefined) => ({
      ...{ entries: this.entries, orders: orders(), units: this.whole, flaw },
    });
    try {
      for (const group of byTime(this.journal.shards)) this.group(group);
      for (const position of this.journal.positions) this.end(position);
      return so(undefined);
    } catch (error) {
      if (error instanceof NotAllowed) return so(error.message);
      throw error;
    }
  }

  /** Entries of one millisecond: those of different shards may have come in any order. */
  private group(entries: readonly JournalEntry[]): void {
    const group = entries.map((entry) => this.translated(entry));
    for (const [i, { entry, value }] of group.entries()) {
      const later = group.slice(i + 1).filter((other) => other.entry.shard !== entry.shard);
      this.accept(entry, value, takenBy(later));
    }
  }

  private translated(entry: JournalEntry): Taken {
    try {
      return { entry, ...recordedOf(entry, this.numbers) };
    } catch (error) {
      if (!(error instanceof OutsideTheSpecification)) throw error;
      throw new NotAllowed(`${nameOf(entry)}: outside of the specification: ${error.message}`);
    }
  }

  private accept(entry: JournalEntry, value: Value, others: QuintMap): void {
    const { shard } = entry;
    const before = { ...(this.checks.get(shard) as object), units: this.units } as Value;
    const check = this.call("acceptEntry", before, value, others);
    const flaw = fieldOf(check, "flaw");
    if (flaw !== "") throw new NotAllowed(`${nameOf(entry)}: ${String(flaw)}`);
    this.checks.set(shard, check);
    this.units = fieldOf(check, "units");
    this.entries++;
  }

  private end({ shard, lastId, lastN, epoch }: Position): void {
    const check = this.checks.get(shard) as Value;
    if (this.call("endsAt", check, this.numbers.of(lastId), lastN, epoch) !== true)
      throw new NotAllowed(`shard ${shard}: it does not end where the ledger stands, at ${lastN}`);
  }

  private call(name: string, ...args: Value[]): Value {
    return this.spec.call[name]?.(...args) as Value;
  }
}

function nameOf({ shard, n, id }: JournalEntry): string {
  return `shard ${shard}, entry ${n} (${id})`;
}

function takenBy(group: readonly Taken[]): QuintMap {
  const sums = new Map<string, number>();
  for (const { took } of group)
    for (const [item, units] of took) sums.set(item, (sums.get(item) ?? 0) + units);
  return QuintMap.of(sums);
}

/** Entries of a shard keep their order, even where Redis's clock went back. */
function* byTime(shards: Journal["shards"]): Generator<readonly JournalEntry[]> {
  const cursors = [...shards.values()].map((entries) => ({ entries, next: 0 }));
  for (;;) {
    const times = cursors.flatMap(({ entries, next }) => entries[next]?.atMs ?? []);
    if (times.length === 0) return;
    const atMs = Math.min(...times);
    const group: JournalEntry[] = [];
    for (const cursor of cursors)
      while (cursor.entries[cursor.next]?.atMs === atMs)
        group.push(cursor.entries[cursor.next++] as JournalEntry);
    yield group;
  }
}

/** Whether every rebuild came before the first entry, and Redis's clock never went back. */
function neverRebuilt({ rebuilds, shards }: Journal): boolean {
  if (!rebuilds) return false;
  const all = [...shards.values()];
  const first = Math.min(...all.map(([entry]) => entry?.atMs ?? Infinity));
  const rises = all.every((entries) =>
    entries.every(({ atMs }, i) => atMs >= (entries[i - 1]?.atMs ?? 0)),
  );
  return rises && rebuilds.every((atMs) => atMs <= first);
}

/** Restocked units may be for sale at any time. */
export function itemsOf({ items }: Pick<Journal, "items">): QuintMap {
  return QuintMap.of(
    items.map(({ saleId, sku, initial, restocked, limitPerUser }) => [
      `${saleId} ${sku}`,
      { certain: initial, perhaps: restocked, held: 0, sold: 0, limit: limitPerUser },
    ]),
  );
}

const WINDOW_CHANGES: ReadonlySet<string> = new Set(["open", "close", "retire"]);

export function salesOf({ sales, operations }: Pick<Journal, "sales" | "operations">): QuintMap {
  const changed = new Set(
    operations.flatMap(({ operation: { kind, saleId } }) =>
      WINDOW_CHANGES.has(kind) ? [saleId] : [],
    ),
  );
  return QuintMap.of(
    sales.map(({ id, opensAtMs, closesAtMs }) => [
      id,
      { opens: opensAtMs, closes: closesAtMs, steady: !changed.has(id) },
    ]),
  );
}
