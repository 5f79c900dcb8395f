// One pass over a slice of users, which reads the clients' history and the ledger's journal once
// each.
import { countWords } from "../../core/domain/finding-words.ts";
import type { LedgerAudit } from "../../ledger/audit.ts";
import { type HistoryLine, readHistory } from "../history.ts";
import { entriesByTime } from "./by-time.ts";
import { type AcceptedCounts, checkAccepted } from "./checks/accepted.ts";
import { AmountsCheck } from "./checks/amounts.ts";
import { checkCancels } from "./checks/cancels.ts";
import { ChainCheck } from "./checks/chain.ts";
import { ChargesCheck } from "./checks/charges.ts";
import { EventsCheck } from "./checks/events.ts";
import { checkGate } from "./checks/gate.ts";
import { LettersCheck } from "./checks/letters.ts";
import { LimitsCheck } from "./checks/limits.ts";
import { PartsCheck } from "./checks/parts.ts";
import { RecordsCheck } from "./checks/records.ts";
import { checkReplays } from "./checks/replays.ts";
import type { SoldOutCheck } from "./checks/sold-out.ts";
import { checkSubmitted } from "./checks/submitted.ts";
import { type TimeRules, TimesCheck } from "./checks/times.ts";
import { TurnsCheck } from "./checks/turns.ts";
import { UnitsCheck } from "./checks/units.ts";
import { checkUnnumbered } from "./checks/unnumbered.ts";
import { type Catalogue, checkVerdicts } from "./checks/verdicts.ts";
import { Evidence, type Slice } from "./evidence.ts";
import { Findings } from "./findings.ts";
import type { DecodedEntry } from "./journal.ts";
import type { Look } from "./look.ts";
import { type Witness, witnessOf } from "./witness.ts";

export type History = string | readonly HistoryLine[];

export interface PassOptions {
  readonly history: readonly History[];
  readonly partial: boolean;
  readonly rules: TimeRules;
  readonly audit: LedgerAudit;
  readonly look: Look;
  readonly findings: Findings;
  readonly catalogue: Catalogue;
  readonly soldOut: SoldOutCheck;
}

/** The checks that follow a shard entry by entry. */
interface Followers {
  readonly chains: ReadonlyMap<number, ChainCheck>;
  readonly turns: ReadonlyMap<number, TurnsCheck>;
  readonly limits: LimitsCheck;
  readonly times: TimesCheck;
}

export class Pass {
  readonly units: UnitsCheck;
  readonly amounts: AmountsCheck;
  readonly charges: ChargesCheck;
  readonly parts: PartsCheck;
  readonly letters: LettersCheck;
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

  constructor(private readonly options: PassOptions) {
    const { findings, catalogue, look } = options;
    this.units = new UnitsCheck(findings);
    this.amounts = new AmountsCheck(findings, catalogue.sales, catalogue.terms);
    this.letters = new LettersCheck(look.rest.queues, findings);
    this.charges = new ChargesCheck(findings, this.amounts, this.letters);
    this.parts = new PartsCheck(findings);
  }

  /** `whole`: also run the checks that do not depend on users, once. */
  async run(slice: Slice, whole: boolean): Promise<void> {
    const { audit, findings, look } = this.options;
    const evidence = new Evidence(slice, findings, look.clockMs);
    const witness = await this.hear(evidence);
    await this.follow(evidence, slice, whole);
    const records = new RecordsCheck(evidence, slice, findings);
    for await (const chunk of audit.orders()) for (const record of chunk) records.record(record);
    records.end();
    await this.judge(evidence, slice, witness);
  }

  /** Missing accepted orders are lost if the system is at rest. */
  settleMissing(): void {
    const { look, findings } = this.options;
    if (!look.atRest && this.counts.missing > 0)
      findings.waiting(`accepted orders not yet in the ledger: ${this.counts.missing}`);
    else
      for (const key of this.missing)
        findings.violation("I1", "an accepted order is not in the ledger", key);
    if (this.counts.parked > 0)
      findings.waiting(`${countWords(this.counts.parked, "order")} parked in the ledger`);
  }

  private async hear(evidence: Evidence): Promise<Witness> {
    const { history, partial, look } = this.options;
    let endMs = Number.POSITIVE_INFINITY;
    for (const one of history) {
      let last = 0;
      const pieces = typeof one === "string" ? readHistory(one) : [one];
      for await (const lines of pieces)
        for (const line of lines) {
          evidence.line(line);
          last = Math.max(last, line.op === "outcome" ? line.t : line.t1);
        }
      endMs = Math.min(endMs, last);
    }
    return witnessOf(partial, look.atRest, endMs);
  }

  private async follow(evidence: Evidence, slice: Slice, whole: boolean): Promise<void> {
    const { audit, findings, look, catalogue, rules, soldOut } = this.options;
    const shards = look.positions.map(({ shard }) => shard);
    const of = whole ? findings : new Findings();
    const followers: Followers = {
      chains: new Map(shards.map((shard) => [shard, new ChainCheck(shard, of)])),
      turns: new Map(shards.map((shard) => [shard, new TurnsCheck(slice, findings)])),
      limits: new LimitsCheck(catalogue.items.values(), catalogue.terms, slice, findings),
      times: new TimesCheck(rules, evidence.ledger, slice, findings),
    };
    for await (const group of entriesByTime(audit, shards)) {
      if (whole) soldOut.group(group);
      for (const entry of group) this.entry(entry, evidence, slice, followers);
    }
    for (const position of look.positions) followers.chains.get(position.shard)?.end(position);
  }

  private entry(
    entry: DecodedEntry,
    evidence: Evidence,
    slice: Slice,
    { chains, turns, limits, times }: Followers,
  ): void {
    chains.get(entry.shard)?.entry(entry);
    times.entry(entry);
    evidence.entry(entry);
    turns.get(entry.shard)?.entry(entry);
    limits.entry(entry);
    this.units.entry(entry, slice);
    this.amounts.entry(entry, slice);
  }

  private async judge(evidence: Evidence, slice: Slice, witness: Witness): Promise<void> {
    const { audit, findings, history, soldOut, catalogue } = this.options;
    const events = new EventsCheck(evidence, slice, findings);
    for await (const chunk of audit.events()) for (const event of chunk) events.event(event);
    events.end();
    if (history.length > 0) {
      this.missing.push(...checkAccepted(evidence, this.counts, findings));
      checkSubmitted(evidence, witness, findings);
      checkReplays(evidence, events.conflicts, witness, findings);
      checkUnnumbered(evidence, witness, findings);
      checkCancels(evidence, witness, findings);
      checkGate(evidence, soldOut, findings);
    }
    checkVerdicts(evidence, catalogue, findings);
    for (const order of evidence.ledger.values()) {
      this.units.order(order);
      this.charges.order(order);
      this.parts.order(order);
      this.letters.order(order);
      this.states.set(order.state, (this.states.get(order.state) ?? 0) + 1);
    }
  }
}
