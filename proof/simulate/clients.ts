// The clients of a simulation. They send what the schedule says, resend what was not answered or
// was refused for now, and keep their own history, as the demo's clients do (proof/load/lane.ts).
import { parseOutcome } from "../../core/domain/entry.ts";
import type { HistoryLine } from "../history.ts";
import { type Answer, resultOf } from "../load/lane.ts";
import type { SimulatedGateway } from "./gateway.ts";
import { type Action, SALE_ID } from "./schedule.ts";
import type { Scheduler } from "./scheduler.ts";

/** One way between a client and a gateway, ms. */
const TRIP_MS = 15;
/** A later answer counts as lost. */
const ANSWER_TIMEOUT_MS = 12_000;
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 2_000;
const MAX_SENDINGS = 60;

export class Clients {
  readonly lines: HistoryLine[] = [];
  /** Actions without their last answer. */
  open = 0;
  accepted = 0;
  private readonly sendings = new Map<string, number>();

  constructor(
    private readonly scheduler: Scheduler,
    private readonly gateways: () => readonly (SimulatedGateway | undefined)[],
  ) {}

  begin(actions: readonly Action[], fromMs: number): void {
    for (const action of actions) {
      this.open++;
      const begin = () => this.send(action, action.gateway, 1);
      const delayMs = fromMs + action.atMs - this.scheduler.nowMs();
      this.scheduler.event(`client ${action.kind}`, begin, delayMs);
    }
  }

  private now(): number {
    return this.scheduler.nowMs();
  }

  private trip(): number {
    return this.scheduler.random() * TRIP_MS;
  }

  /** A client whose gateway does not answer tries the next one. */
  private send(action: Action, gateway: number, sending: number): void {
    const t0 = this.now();
    const number = this.counted(action);
    const gateways = this.gateways();
    const chosen = gateways[gateway % gateways.length];
    let answered = false;
    const end = (answer: Answer) => {
      if (answered) return;
      answered = true;
      this.note(action, { answer, t0, number, region: chosen?.region ?? "none" });
      this.goOn(action, { answer, gateway, sending });
    };
    if (!chosen) {
      this.scheduler.event("client lost", () => end({ status: 0, code: "lost" }), this.trip());
      return;
    }
    const receive = (answer: Answer) =>
      this.scheduler.event(`client ${answer.status}`, () => end(answer), this.trip());
    const outcome = (word: string) =>
      this.scheduler.event("client outcome", () => this.outcome(action, word), this.trip());
    chosen.process.world.event(
      "gateway request",
      () => chosen.take(action, receive, outcome),
      this.trip(),
    );
    const lost = () => end({ status: 0, code: "lost" });
    this.scheduler.event("client timeout", lost, ANSWER_TIMEOUT_MS);
  }

  private counted(action: Action): number {
    if (action.kind !== "order") return 0;
    const number = (this.sendings.get(action.id) ?? 0) + 1;
    this.sendings.set(action.id, number);
    return number;
  }

  private note(
    action: Action,
    call: { answer: Answer; t0: number; number: number; region: string },
  ): void {
    const { answer, t0, number, region } = call;
    const result = resultOf(answer);
    const base = {
      ...{ client: "client", via: "http" as const, region, t0, t1: this.now() },
      ...{ user: action.user, result, status: answer.status },
    };
    switch (action.kind) {
      case "order":
        if (result === "ok") this.accepted++;
        this.lines.push({
          ...{ op: "order", ...base, id: action.id, send: number },
          ...{ code: answer.code, body: action.body },
        });
        return;
      case "cancel":
        this.lines.push({ op: "cancel", ...base, id: action.id });
        return;
      case "skip":
        this.lines.push({ op: "skip", ...base, saleId: SALE_ID, seq: action.seq });
    }
  }

  private goOn(
    action: Action,
    { answer, gateway, sending }: { answer: Answer; gateway: number; sending: number },
  ): void {
    const result = resultOf(answer);
    const again = result === "info" || (result === "fail" && [429, 503].includes(answer.status));
    if (!again || sending >= MAX_SENDINGS) {
      this.open--;
      return;
    }
    const next = answer.code === "lost" ? gateway + 1 : gateway;
    const waitMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(sending, 10));
    const wait = Math.max(answer.afterMs ?? 0, waitMs);
    this.scheduler.event("client again", () => this.send(action, next, sending + 1), wait);
  }

  /** What a socket would push: words that are no state of the order are left out. */
  private outcome(action: Action, word: string): void {
    if (action.kind !== "order") return;
    const outcome = parseOutcome(word);
    if (!("state" in outcome)) return;
    const { user, id } = action;
    const { state } = outcome;
    this.lines.push({ op: "outcome", client: "client", t: this.now(), user, id, state });
  }
}
