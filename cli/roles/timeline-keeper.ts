// Keeps the day's history: every gateway looks every two seconds and notes what has changed; the
// one that holds the ledger's lease writes it. Never on the way of an order: the overview is made
// beside it, and the ledger's writer has a thread of its own.
//
// 1. A time in which no gateway looked is an entry of its own: what began and ended in it left no
//    trace. The state on record says until when somebody looked, and each gateway knows since when
//    it has looked without a break.

import { ageWords } from "../../core/domain/finding-words.ts";
import { MINUTE_MS, minuteOf } from "../../core/domain/minute.ts";
import { MinuteTally } from "../../core/domain/minute-tally.ts";
import type { Overview } from "../../core/domain/overview.ts";
import type { HistoryMinute, TimelineEvent } from "../../core/domain/timeline.ts";
import {
  eventsOf,
  type Noticed,
  notOnRecord,
  type TimelineState,
  TimelineWatch,
} from "../../core/domain/timeline-state.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import type { TimelineKept, TimelineWriter } from "../../ledger/timeline-contract.ts";
import type { OperatorActions } from "../operator/operator-actions.ts";

export interface KeeperOptions {
  readonly runtime: Runtime;
  /** The gateway. */
  readonly id: string;
  readonly overview: () => Promise<Overview>;
  readonly writer: TimelineWriter;
  readonly actions: OperatorActions;
}

const EVERY_MS = 2_000;
/** A look at thousands of items takes long; this many times as long passes until the next. */
const REST = 9;
/** The lease passes to another gateway this long after its holder was last there. */
const LEASE_MS = 20_000;
const RENEW_MS = 6_000;
/** What a gateway noticed and nobody has recorded; the oldest are left out. */
const MAX_UNSAVED = 500;
/** Minutes that the ledger did not take yet. */
const MAX_MINUTES = 60;
/** 1: a break of less than this is no entry. The state on record is up to 8 s old at any time. */
const UNWATCHED_MS = 15_000;
/** The holder has recorded what is older, or has seen it otherwise. */
const SURELY_WRITTEN_MS = 60_000;

/** A write whose answer is missing: the ledger may have it. */
interface Unsure {
  readonly write: string;
  readonly changes: ReadonlySet<Noticed>;
  readonly minutes: ReadonlySet<HistoryMinute>;
}

export class TimelineKeeper {
  private watch: TimelineWatch | undefined;
  private changes: Noticed[] = [];
  private minutes: HistoryMinute[] = [];
  private minuteStart: Overview | undefined;
  private readonly tally = new MinuteTally();
  private lease: TimelineKept["lease"] = "elsewhere";
  private unsure: Unsure | undefined;
  private keptAtMs = Number.NEGATIVE_INFINITY;
  /** The last write of a holder, as the ledger has it and as this process saw it. */
  private writtenMs = 0;
  private writtenAtMs = Number.NEGATIVE_INFINITY;
  /** The latest overview before the state on record was read. */
  private first: Overview | undefined;
  /** The pause that this gateway meant to make before its next look. */
  private pauseMs = EVERY_MS;
  /** 1: this gateway's looks, and the last look on record; 0: none. */
  private run = { sinceMs: 0, untilMs: 0, beforeMs: 0, atMs: Number.NEGATIVE_INFINITY };
  private recordedMs = 0;
  private saving = false;
  private timer: Timer | undefined;
  private stopped = false;

  constructor(private readonly options: KeeperOptions) {
    this.again(EVERY_MS);
  }

  stop(): void {
    this.stopped = true;
    if (this.timer) this.options.runtime.stopTimer(this.timer);
  }

  private again(afterMs: number): void {
    if (this.stopped) return;
    const { runtime } = this.options;
    this.timer = runtime.startTimer(() => {
      const startedMs = runtime.monotonicMs();
      void ignore(this.see(), "timeline").then(() => {
        this.pauseMs = Math.max(EVERY_MS, REST * (runtime.monotonicMs() - startedMs));
        this.again(this.pauseMs);
        // A ledger that is away answers late: what happens meanwhile is noticed all the same.
        void ignore(this.save(), "timeline");
      });
    }, afterMs);
  }

  /** One round. Rejects if the ledger cannot be written; then what was noticed waits. */
  async look(): Promise<void> {
    await this.see();
    await this.save();
  }

  private async see(): Promise<void> {
    const now = await this.options.overview();
    this.looked(now.atMs);
    this.endMinute(now);
    if (this.watch) this.notice(this.watch, now);
    else this.first = now;
  }

  /** 1 */
  private looked(nowMs: number): void {
    const { sinceMs, untilMs, beforeMs, atMs: lastMs } = this.run;
    const atMs = this.options.runtime.monotonicMs();
    const isBreak = atMs - lastMs > this.pauseMs + UNWATCHED_MS;
    this.run = isBreak
      ? { sinceMs: nowMs, untilMs: nowMs, beforeMs: untilMs, atMs }
      : { sinceMs, untilMs: nowMs, beforeMs, atMs };
  }

  /** 1 */
  private unwatched(): TimelineEvent[] {
    const { sinceMs, beforeMs } = this.run;
    const atMs = Math.max(this.recordedMs, beforeMs);
    if (this.recordedMs === 0 || sinceMs - atMs <= UNWATCHED_MS) return [];
    const what =
      `no gateway looked for ${ageWords(sinceMs - atMs)} from here on; ` +
      "what began and ended meanwhile is not listed";
    return [{ atMs, kind: "unwatched", subject: "all gateways", what }];
  }

  private async save(): Promise<void> {
    if (this.saving) return;
    this.saving = true;
    try {
      if (!this.watch) {
        if (this.first) await this.begin(this.first);
        return;
      }
      const due = this.options.runtime.monotonicMs() - this.keptAtMs >= RENEW_MS;
      if (due || (this.lease === "held" && this.changes.length + this.minutes.length > 0))
        await this.keep(this.watch);
    } finally {
      this.saving = false;
    }
  }

  /** Continues from what is on record, written by this gateway or another. */
  private async begin(now: Overview): Promise<void> {
    const { state, lease } = await this.write([], [], undefined);
    this.lease = lease;
    const { actions, actionsBeyond, write: _, looked: __, ...rest } = stateOf(state);
    this.options.actions.from(stateOf(state));
    this.watch = new TimelineWatch(rest);
    this.notice(this.watch, now);
  }

  private notice(watch: TimelineWatch, now: Overview): void {
    const noticedMs = this.options.runtime.monotonicMs();
    this.changes.push(...watch.look(now).map((change) => ({ ...change, noticedMs })));
    this.changes.splice(0, this.changes.length - MAX_UNSAVED);
  }

  private async keep(watch: TimelineWatch): Promise<void> {
    if (this.unsure) await this.ask(this.unsure);
    const mine = this.lease !== "elsewhere";
    const actions = mine ? await this.options.actions.since() : { events: [], state: {} };
    const [changes, minutes] = [[...this.changes], [...this.minutes]];
    const write = this.options.runtime.uuid();
    const looked = String(this.run.untilMs);
    const state = { ...watch.state, ...actions.state, write, looked };
    const events = [...this.unwatched(), ...eventsOf(changes), ...actions.events];
    if (mine) this.unsure = { write, changes: new Set(changes), minutes: new Set(minutes) };
    const kept = mine
      ? await this.write(events, minutes, JSON.stringify(state))
      : await this.write([], [], undefined);
    this.unsure = undefined;
    this.lease = kept.lease;
    if (kept.lease === "held" && mine) {
      this.leaveOut({ changes: new Set(changes), minutes: new Set(minutes) });
      this.options.actions.from(actions.state);
    } else this.adopt(kept);
  }

  /** The state on record names the write that led to it. */
  private async ask({ write, changes, minutes }: Unsure): Promise<void> {
    const kept = await this.write([], [], undefined);
    this.unsure = undefined;
    this.lease = kept.lease;
    const onRecord = stateOf(kept.state);
    if (onRecord.write === write) this.leaveOut({ changes, minutes });
    if (kept.lease === "held") this.options.actions.from(onRecord);
    else this.adopt(kept);
  }

  private leaveOut({ changes, minutes }: Pick<Unsure, "changes" | "minutes">): void {
    this.changes = this.changes.filter((change) => !changes.has(change));
    this.minutes = this.minutes.filter((minute) => !minutes.has(minute));
  }

  /** Another gateway has written, or did until now: leaves out what it has recorded. */
  private adopt({ lease, state }: TimelineKept): void {
    const onRecord = stateOf(state);
    this.options.actions.from(onRecord);
    this.minutes = this.minutes.slice(-MAX_MINUTES);
    this.changes =
      lease === "taken"
        ? notOnRecord(this.changes, onRecord, this.writtenAtMs)
        : this.changes.filter((c) => c.noticedMs > this.writtenAtMs - SURELY_WRITTEN_MS);
  }

  private async write(
    events: readonly TimelineEvent[],
    minutes: readonly HistoryMinute[],
    state: string | undefined,
  ): Promise<TimelineKept> {
    this.keptAtMs = this.options.runtime.monotonicMs();
    const { id: holder, writer } = this.options;
    const kept = await writer.keepTimeline({ holder, leaseMs: LEASE_MS, events, minutes, state });
    this.recordedMs = Number(stateOf(kept.state).looked ?? 0);
    if (kept.writtenMs !== this.writtenMs) {
      this.writtenMs = kept.writtenMs;
      this.writtenAtMs = this.options.runtime.monotonicMs();
    }
    return kept;
  }

  /** The first minute of a gateway is not whole. */
  private endMinute(now: Overview): void {
    const minute = (o: Overview) => Math.floor(o.atMs / MINUTE_MS);
    const start = this.minuteStart;
    if (!now.unasked.includes("redis")) this.tally.look(now);
    if (start && minute(now) === minute(start)) return;
    this.minuteStart = now;
    const counts = this.tally.take();
    if (!start || now.atMs - start.atMs < MINUTE_MS / 2) return;
    this.minutes.push(minuteOf(minute(start) * MINUTE_MS, start, now, counts));
    this.minutes.splice(0, this.minutes.length - MAX_MINUTES);
  }
}

/**
 * `actions`, `actionsBeyond`: which operators' actions are on record (operator-actions.ts).
 * `write`: the last write's id. `looked`: when its gateway last looked, Unix ms.
 */
function stateOf(text: string): TimelineState {
  return text === "" ? {} : (JSON.parse(text) as TimelineState);
}
