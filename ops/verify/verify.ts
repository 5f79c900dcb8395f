// The proof from outside: what the clients say they sent, held against the ledger, Redis's stock and the queues. Nothing here asks the
// system what it counted, and nothing here decides with the system's code.
//
// Users are looked at slice by slice, each in one pass over history and journal, so memory is bounded whatever their length.
import { statSync } from "node:fs";
import type { LiveStock } from "../../core/stock-store.ts";
import { LedgerAudit } from "../../ledger/audit.ts";
import { readHistory } from "../history.ts";
import { type AcceptedCounts, checkAccepted } from "./checks/accepted.ts";
import { AmountsCheck } from "./checks/amounts.ts";
import { checkCancels } from "./checks/cancels.ts";
import { ChainCheck } from "./checks/chain.ts";
import { type CaptureRecord, ChargesCheck } from "./checks/charges.ts";
import { checkLiveStock } from "./checks/live-stock.ts";
import { type PackedRecord, PartsCheck } from "./checks/parts.ts";
import { RecordsCheck } from "./checks/records.ts";
import { checkReplays } from "./checks/replays.ts";
import { checkRest, type QueueDepth } from "./checks/rest.ts";
import { checkSubmitted } from "./checks/submitted.ts";
import { TurnsCheck } from "./checks/turns.ts";
import { UnitsCheck } from "./checks/units.ts";
import { checkUnnumbered } from "./checks/unnumbered.ts";
import { type Catalogue, checkVerdicts } from "./checks/verdicts.ts";
import { Evidence, orderKey, type Slice } from "./evidence.ts";
import { Findings, type Violation } from "./findings.ts";
import { decodeEntry } from "./journal.ts";

/** Redis as the checker sees it. */
export interface RedisView {
  stock(saleId: string): Promise<ReadonlyMap<string, LiveStock> | undefined>;
  outboxLength(shard: number): Promise<number>;
  parked(shard: number): Promise<{ orders: number; most: number }>;
}

/** The brokers as the checker sees them. */
export interface QueueView {
  /** `withLetters`: dead letters are told apart, which takes a look at each. */
  depths(withLetters?: boolean): Promise<QueueDepth[]>;
}

export interface VerifyOptions {
  readonly ledgerUrl: string;
  readonly history: readonly string[];
  /** The history is that of some clients among others. */
  readonly partial?: boolean;
  readonly redis: RedisView;
  readonly queues: QueueView;
  /** The payment provider's own record, if there is one to look at: lines of JSON. */
  readonly provider?: () => Promise<readonly CaptureRecord[] | undefined>;
  /** What the processing services have on record, if there is something to look at. */
  readonly packed?: () => Promise<readonly PackedRecord[] | undefined>;
  /** Tells how far it is, for people. */
  readonly onProgress?: (text: string) => void;
  /** Only for tests: bytes of history looked at in one pass. */
  readonly sliceBytes?: number;
}

export interface Verdict {
  readonly result: "pass" | "violations" | "inconclusive";
  readonly violations: readonly Violation[];
  readonly undrained: readonly string[];
  /** Accepted orders that are not in the ledger: lost, or in a consumer's hands, which no queue tells. Looking again later tells which. */
  readonly missing: number;
  readonly counts: Counts;
}

export interface Counts {
  /** Distinct ids the clients sent; of them answered 202; of those decided, and decided in the ledger. */
  readonly orders: number;
  readonly accepted: number;
  readonly decided: number;
  readonly ledgered: number;
  /** Sendings beyond the first of each id. */
  readonly duplicates: number;
  /** Units held or sold, and units there were. */
  readonly sold: number;
  readonly stock: number;
  /** Attempts to charge beyond an order's first, and captures that went back. */
  readonly retries: number;
  readonly refunded: number;
  /** Orders whose letter lies in a dead-letter queue: rejected, or not paid. */
  readonly deadLettered: number;
  /** Minor units kept of paid orders, by currency. */
  readonly currencies: Readonly<Record<string, number>>;
  /** Parts done, by service. */
  readonly services: Readonly<Record<string, number>>;
  /** Orders in the ledger by state. */
  readonly states: Readonly<Record<string, number>>;
  readonly violations: number;
}

/** History looked at in one pass: some 300,000 orders, a few hundred megabytes of memory. */
const SLICE_BYTES = 128 * 1024 * 1024;

export async function verify(options: VerifyOptions): Promise<Verdict> {
  const findings = new Findings();
  const audit = await LedgerAudit.open(options.ledgerUrl);
  try {
    const items = await audit.items();
    const atRest = await lookAtRest(options, audit);
    const pass = new Pass(options, audit, findings, await catalogueOf(audit, items));
    const slices = sliceCount(options);
    for (let i = 0; i < slices; i++) {
      options.onProgress?.(`checking orders${slices > 1 ? `, part ${i + 1} of ${slices}` : ""}`);
      await pass.run(
        slices === 1 ? () => true : (user) => Bun.hash.crc32(user) % slices === i,
        i === 0,
      );
    }
    options.onProgress?.("checking stock");
    for await (const chunk of audit.movements())
      for (const movement of chunk) pass.units.movement(movement);
    pass.units.end(items);
    checkLiveStock(items, await liveStock(options.redis, items), atRest, findings);
    pass.settleMissing(atRest);
    options.onProgress?.("checking charges");
    await pass.charges.end(audit, await options.provider?.(), atRest);
    options.onProgress?.("checking parts");
    await pass.parts.end(audit, await options.packed?.(), atRest);
    const failures = (pass.states.get("rejected") ?? 0) + (pass.states.get("payment_failed") ?? 0);
    checkRest(await restOf(options, audit, failures, true), findings);
    return verdictOf(pass, items, findings);
  } finally {
    await audit.close();
  }
}

/** One pass over a slice of the users. */
class Pass {
  readonly units: UnitsCheck;
  readonly amounts: AmountsCheck;
  readonly charges: ChargesCheck;
  readonly parts: PartsCheck;
  readonly counts: AcceptedCounts = {
    orders: 0,
    accepted: 0,
    decided: 0,
    ledgered: 0,
    sendings: 0,
    missing: 0,
    parked: 0,
  };
  readonly states = new Map<string, number>();
  private readonly missing: string[] = [];

  constructor(
    private readonly options: VerifyOptions,
    private readonly audit: LedgerAudit,
    private readonly findings: Findings,
    private readonly catalogue: Catalogue,
  ) {
    this.units = new UnitsCheck(findings);
    this.amounts = new AmountsCheck(findings, catalogue.sales, catalogue.items);
    this.charges = new ChargesCheck(findings, this.amounts);
    this.parts = new PartsCheck(findings);
  }

  /** `whole`: also the checks that concern no user, once. */
  async run(slice: Slice, whole: boolean): Promise<void> {
    const { audit, findings } = this;
    const evidence = new Evidence(slice, findings);
    for (const path of this.options.history) {
      for await (const lines of readHistory(path)) for (const line of lines) evidence.line(line);
    }
    for (const position of await audit.shards()) await this.shard(position, evidence, slice, whole);
    const records = new RecordsCheck(evidence, slice, findings);
    for await (const chunk of audit.orders()) for (const record of chunk) records.record(record);
    records.end();
    await this.judge(evidence, slice);
  }

  /** Accepted orders that are nowhere are lost, if the system is at rest. */
  settleMissing(atRest: boolean): void {
    if (!atRest && this.counts.missing > 0)
      this.findings.waiting(`${this.counts.missing} accepted orders not yet in the ledger`);
    else
      for (const key of this.missing)
        this.findings.violation("I1", "an accepted order is not in the ledger", key);
    if (this.counts.parked > 0)
      this.findings.waiting(`${this.counts.parked} orders parked in the ledger`);
  }

  private async shard(
    position: { shard: number; lastId: string; lastN: number },
    evidence: Evidence,
    slice: Slice,
    whole: boolean,
  ): Promise<void> {
    const chain = new ChainCheck(position.shard, whole ? this.findings : new Findings());
    const turns = new TurnsCheck(slice, this.findings);
    for await (const chunk of this.audit.entries(position.shard)) {
      for (const raw of chunk) {
        const entry = decodeEntry(raw);
        chain.entry(entry);
        evidence.entry(entry);
        turns.entry(entry);
        this.units.entry(entry, slice);
        this.amounts.entry(entry, slice);
      }
    }
    const after = (await this.audit.shards()).find(({ shard }) => shard === position.shard);
    chain.end(position, after ?? position);
  }

  private async judge(evidence: Evidence, slice: Slice): Promise<void> {
    const conflicts = new Map<string, number>();
    for await (const chunk of this.audit.conflicts()) {
      for (const { user, id, count } of chunk)
        if (slice(user)) conflicts.set(orderKey(user, id), count);
    }
    if (this.options.history.length > 0) {
      this.missing.push(...checkAccepted(evidence, this.counts, this.findings));
      checkSubmitted(evidence, this.options.partial ?? false, this.findings);
      checkReplays(evidence, conflicts, this.findings);
      checkUnnumbered(evidence, this.findings);
      checkCancels(evidence, this.options.partial ?? false, this.findings);
    }
    checkVerdicts(evidence, this.catalogue, this.findings);
    for (const order of evidence.ledger.values()) {
      this.units.order(order);
      this.charges.order(order);
      this.parts.order(order);
      this.states.set(order.state, (this.states.get(order.state) ?? 0) + 1);
    }
  }
}

async function catalogueOf(
  audit: LedgerAudit,
  items: Awaited<ReturnType<LedgerAudit["items"]>>,
): Promise<Catalogue> {
  const sales = await audit.sales();
  return {
    sales: new Map(sales.map((sale) => [sale.id, sale])),
    items: new Map(items.map((item) => [`${item.saleId} ${item.sku}`, item])),
  };
}

/** Whether queues and outboxes were empty before the ledger was read: only then may an order that is missing be called lost. */
async function lookAtRest(options: VerifyOptions, audit: LedgerAudit): Promise<boolean> {
  const before = new Findings();
  checkRest(await restOf(options, audit, 0, false), before);
  return before.undrained.length === 0;
}

async function restOf(
  { redis, queues }: VerifyOptions,
  audit: LedgerAudit,
  failures: number,
  withLetters: boolean,
) {
  const shards = [];
  for (const { shard } of await audit.shards()) {
    const { orders, most } = await redis.parked(shard);
    shards.push({
      shard,
      outbox: await redis.outboxLength(shard),
      parked: orders,
      mostParked: most,
    });
  }
  return {
    queues: await queues.depths(withLetters),
    shards,
    followUpsOpen: await audit.followUpsOpen(),
    chargesOpen: await audit.chargesOpen(),
    partsOpen: await audit.partsOpen(),
    failures,
  };
}

async function liveStock(
  redis: RedisView,
  items: readonly { saleId: string }[],
): Promise<Map<string, ReadonlyMap<string, LiveStock>>> {
  const live = new Map<string, ReadonlyMap<string, LiveStock>>();
  for (const saleId of new Set(items.map((item) => item.saleId))) {
    const stock = await redis.stock(saleId);
    if (stock) live.set(saleId, stock);
  }
  return live;
}

function sliceCount({ history, sliceBytes }: VerifyOptions): number {
  const bytes = history.reduce((sum, path) => sum + statSync(path).size, 0);
  return Math.max(1, Math.ceil(bytes / (sliceBytes ?? SLICE_BYTES)));
}

function verdictOf(
  pass: Pass,
  items: readonly { initial: number; restocked: number; held: number; sold: number }[],
  findings: Findings,
): Verdict {
  const { orders, accepted, decided, ledgered, sendings } = pass.counts;
  const violations = findings.violations;
  const count = findings.count();
  return {
    result: count > 0 ? "violations" : findings.undrained.length > 0 ? "inconclusive" : "pass",
    violations,
    undrained: findings.undrained,
    missing: pass.counts.missing,
    counts: {
      ...{ orders, accepted, decided, ledgered },
      duplicates: sendings - orders,
      sold: items.reduce((sum, item) => sum + item.held + item.sold, 0),
      stock: items.reduce((sum, item) => sum + item.initial + item.restocked, 0),
      retries: pass.charges.retries,
      refunded: pass.charges.refunded,
      deadLettered: (pass.states.get("rejected") ?? 0) + (pass.states.get("payment_failed") ?? 0),
      currencies: Object.fromEntries([...pass.amounts.kept].sort()),
      services: Object.fromEntries([...pass.parts.byService].sort()),
      states: Object.fromEntries([...pass.states].sort((a, b) => b[1] - a[1])),
      violations: count,
    },
  };
}
