// What both kinds of clients share: their part of the steps, the meaning of an answer, and the
// history they write.
import { type CallResult, type HistoryWriter, historyNow } from "../history.ts";
import type { Caller, HistoryFile } from "../history-file.ts";
import type { OpenLoop } from "./open-loop.ts";
import type { Step } from "./plan.ts";

export interface Target {
  readonly url: string;
  readonly region: string;
}

/** Counts of the whole rush, shared by its lanes. */
export interface Tally {
  /** Sendings started, steps settled, and all steps. */
  sent: number;
  settled: number;
  /** Distinct orders that got a 202. */
  accepted: number;
  readonly total: number;
  /** Answers by kind: `202`, `422 unknown_item`, `lost`. */
  readonly answers: Map<string, number>;
}

export interface LaneOptions {
  readonly name: string;
  readonly target: Target;
  readonly saleId: string;
  readonly steps: readonly Step[];
  readonly history: HistoryWriter;
  /** For the independent checker. */
  readonly events?: HistoryFile | undefined;
  readonly tally: Tally;
  /** When each step is due; without it, as soon as there is room. */
  readonly openLoop?: OpenLoop | undefined;
}

/**
 * Delays before a step answered `again` is sent again; they grow, and the step is given up after a
 * maximum number of sendings.
 */
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 2_000;
const MAX_SENDINGS = 40;

export interface Answer {
  readonly status: number;
  /** The problem's code; empty for 202, `lost` if no answer came. */
  readonly code: string;
  /** The gateway's retry-after. */
  readonly afterMs?: number;
  /** The regions that may hold it, if it is not the gateway's own alone. */
  readonly region?: string | undefined;
  /** Of a cancel: what became of it. */
  readonly state?: string;
}

/** `unconfirmed` and a lost answer leave it open: resending the same id is safe. */
export function resultOf({ status, code }: Answer): CallResult {
  if (status === 202 || status === 200) return "ok";
  return code === "unconfirmed" || code === "lost" ? "info" : "fail";
}

/** A step and the progress of its own sendings. */
export class Errand {
  /** Sendings of this step only; a copy of an order is a separate step. */
  sendings = 0;
  t0 = 0;
  private send = 0;
  private call = 0;

  constructor(
    readonly step: Step,
    private readonly options: LaneOptions,
  ) {}

  begin(via: "http" | "ws"): void {
    this.sendings++;
    this.options.tally.sent++;
    this.t0 = historyNow();
    if (this.step.kind === "order") this.send = ++this.step.order.sendings;
    this.call = this.beginCall(via);
  }

  /** Writes the call's first line. Returns its number. */
  private beginCall(via: "http" | "ws"): number {
    const { step, options } = this;
    const { events, name: client, target, saleId } = options;
    if (!events) return 0;
    const user = step.kind === "skip" ? step.user : step.order.user;
    const caller: Caller = { client, via, region: target.region, user };
    switch (step.kind) {
      case "order":
        return events.order({ ...caller, id: step.order.id }, step.bodyText);
      case "cancel":
        return events.cancel({ ...caller, id: step.order.id });
      case "skip":
        return events.skip({ ...caller, saleId, seq: step.seq });
    }
  }

  /**
   * Records the answer. Returns the delay in ms before sending again, or undefined once settled.
   */
  end(answer: Answer, via: "http" | "ws"): number | undefined {
    const { step, options } = this;
    options.events?.answer(this.call, answer);
    const result = resultOf(answer);
    const call = {
      client: options.name,
      via,
      region: answer.region ?? options.target.region,
      t0: this.t0,
      t1: historyNow(),
      result,
      status: answer.status,
    };
    if (step.kind === "order") {
      options.history.order(
        {
          ...{ ...call, user: step.order.user, id: step.order.id },
          ...{ send: this.send, code: answer.code },
        },
        step.bodyText,
      );
    } else if (step.kind === "cancel")
      options.history.cancel({ ...call, user: step.order.user, id: step.order.id });
    else options.history.skip({ ...call, user: step.user, saleId: options.saleId, seq: step.seq });
    if (result === "ok" && step.kind === "order" && !step.order.accepted) {
      step.order.accepted = true;
      options.tally.accepted++;
    }
    const { answers } = options.tally;
    const said = answer.code === "" ? String(answer.status) : `${answer.status} ${answer.code}`;
    const kind = step.kind === "cancel" ? `${said} (cancel)` : said;
    answers.set(kind, (answers.get(kind) ?? 0) + 1);
    const again =
      result === "info" || (result === "fail" && (answer.status === 429 || answer.status === 503));
    if (again && this.sendings < MAX_SENDINGS)
      return Math.max(
        answer.afterMs ?? 0,
        Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** (this.sendings - 1)),
      );
    options.tally.settled++;
    return undefined;
  }
}
