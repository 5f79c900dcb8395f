// Proof from outside: compares what the clients say they sent with the ledger, Redis's stock and
// the queues. It relies on none of the system's counts and shares none of its decision code.
//
// Users are checked in slices, each in one pass over history and journal, so memory is bounded
// whatever their length.
import { statSync } from "node:fs";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { LedgerAudit } from "../../ledger/audit.ts";
import { checkLiveStock } from "./checks/live-stock.ts";
import { checkRest } from "./checks/rest.ts";
import { SoldOutCheck } from "./checks/sold-out.ts";
import type { TimeRules } from "./checks/times.ts";
import { doubtsOf } from "./doubts.ts";
import { Findings, type Invariant, type Known, type Reach, type Violation } from "./findings.ts";
import { type Look, lookAt, type Sights } from "./look.ts";
import { type History, Pass, type PassOptions } from "./pass.ts";
import { reachOf } from "./reach.ts";
import { Terms } from "./terms.ts";
import { Windows } from "./windows.ts";

export type { QueueView, RedisView } from "./look.ts";

export interface VerifyOptions extends Sights {
  /** Files, or the lines themselves. */
  readonly history: readonly History[];
  /** The history covers only some of the clients. */
  readonly partial?: boolean | undefined;
  /** Time settings the system runs with. */
  readonly rules?: TimeRules | undefined;
  /** Receives progress texts for people. */
  readonly onProgress?: ((text: string) => void) | undefined;
  /** For tests: bytes of history per pass. */
  readonly sliceBytes?: number | undefined;
}

export interface Verdict {
  readonly result: "pass" | "violations" | "inconclusive";
  readonly violations: readonly Violation[];
  /** Unfinished matters that are on record: money owed, letters to be handled. */
  readonly known: readonly Known[];
  /**
   * Whether everything could be compared; if not, only the ledger with itself and with what clients
   * received.
   */
  readonly atRest: boolean;
  readonly undrained: readonly string[];
  /** What each invariant was checked against. */
  readonly reach: Readonly<Record<Invariant, Reach>>;
  /**
   * Accepted orders that are not in the ledger: lost, or held by a consumer, which no queue shows.
   * A later look tells which.
   */
  readonly missing: number;
  readonly counts: Counts;
}

export interface Counts {
  /**
   * Distinct ids the clients sent; how many got a 202; how many were decided; how many the ledger
   * has.
   */
  readonly orders: number;
  readonly accepted: number;
  readonly decided: number;
  readonly ledgered: number;
  /** Sendings after the first of each id. */
  readonly duplicates: number;
  /** Units held or sold, and all units. */
  readonly sold: number;
  readonly stock: number;
  /** Charge attempts after an order's first, and captures that were refunded. */
  readonly retries: number;
  readonly refunded: number;
  /** Orders with a dead letter: rejected, or not paid. */
  readonly deadLettered: number;
  /** Minor units of paid orders, by currency. */
  readonly currencies: Readonly<Record<string, number>>;
  /** Completed parts, by service. */
  readonly services: Readonly<Record<string, number>>;
  /** Orders in the ledger by state. */
  readonly states: Readonly<Record<string, number>>;
  readonly violations: number;
}

/** History per pass: about 300,000 orders, a few hundred megabytes of memory. */
const SLICE_BYTES = 128 * 1024 * 1024;
/** A look during which something moved is repeated up to this many times. */
const LOOKS = 4;
const LOOK_AGAIN_MS = 250;

export async function verify(options: VerifyOptions): Promise<Verdict> {
  for (let left = LOOKS - 1; ; left--) {
    const verdict = await LedgerAudit.snapshot(realRuntime, options.ledgerUrl, async (audit) => {
      const look = await lookAt(options, audit);
      // A brief movement is worth another look; something that waits is not.
      return left > 0 && look.drained && !look.still ? undefined : judge(options, audit, look);
    });
    if (verdict) return verdict;
    await realRuntime.sleep(LOOK_AGAIN_MS);
  }
}

async function judge(options: VerifyOptions, audit: LedgerAudit, look: Look): Promise<Verdict> {
  const { partial = false, history, rules = {}, onProgress } = options;
  const findings = new Findings();
  const items = await audit.items();
  const operations = await audit.operations();
  const times = { horizonMs: look.horizonMs, doubts: await doubtsOf(audit) };
  const soldOut = new SoldOutCheck(findings, times, items, operations);
  const catalogue = await catalogueOf(audit, items, operations);
  const pass = new Pass({
    ...{ history, partial, rules, audit, look, findings, catalogue, soldOut },
  });
  const slices = sliceCount(options);
  for (let i = 0; i < slices; i++) {
    onProgress?.(`checking orders${slices > 1 ? `, part ${i + 1} of ${slices}` : ""}`);
    await pass.run(
      slices === 1 ? () => true : (user) => Bun.hash.crc32(user) % slices === i,
      i === 0,
    );
  }
  onProgress?.("checking stock");
  for await (const chunk of audit.movements())
    for (const movement of chunk) pass.units.movement(movement);
  pass.units.end(items);
  checkLiveStock(items, look.live, look.atRest, findings);
  pass.settleMissing();
  onProgress?.("checking charges");
  await pass.charges.end(audit, look.captures, look.atRest);
  onProgress?.("checking parts");
  await pass.parts.end(audit, look.packed, look.atRest);
  checkRest(look.rest, findings);
  if (look.drained && !look.still) findings.waiting("entries were recorded during the look");
  if (look.atRest) pass.letters.end(await audit.letters());
  const clients = history.length === 0 ? "none" : partial ? "some" : "all";
  return verdictOf(pass, look, items, findings, reachOf(clients, look));
}

async function catalogueOf(
  audit: LedgerAudit,
  items: Awaited<ReturnType<LedgerAudit["items"]>>,
  operations: Awaited<ReturnType<LedgerAudit["operations"]>>,
): Promise<PassOptions["catalogue"]> {
  const sales = await audit.sales();
  return {
    sales: new Map(sales.map((sale) => [sale.id, sale])),
    items: new Map(items.map((item) => [`${item.saleId} ${item.sku}`, item])),
    windows: new Windows(sales, operations),
    terms: new Terms(items, operations),
  };
}

function sliceCount({ history, sliceBytes }: VerifyOptions): number {
  const bytes = history.reduce((sum, one) => sum + bytesOf(one), 0);
  return Math.max(1, Math.ceil(bytes / (sliceBytes ?? SLICE_BYTES)));
}

/** Lines in memory are few enough for one pass. */
function bytesOf(history: History): number {
  return typeof history === "string" ? statSync(history).size : 0;
}

function verdictOf(
  pass: Pass,
  { atRest }: Look,
  items: Awaited<ReturnType<LedgerAudit["items"]>>,
  findings: Findings,
  reach: Verdict["reach"],
): Verdict {
  const { orders, accepted, decided, ledgered, sendings } = pass.counts;
  const { violations, known, undrained } = findings;
  const count = findings.count();
  return {
    result: count > 0 ? "violations" : undrained.length > 0 ? "inconclusive" : "pass",
    violations,
    known,
    atRest,
    undrained,
    reach,
    missing: pass.counts.missing,
    counts: {
      ...{ orders, accepted, decided, ledgered },
      duplicates: sendings - orders,
      sold: items.reduce((sum, item) => sum + item.held + item.sold, 0),
      stock: items.reduce((sum, item) => sum + item.initial + item.restocked - item.corrected, 0),
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
