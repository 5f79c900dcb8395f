// A simulated gateway: the real admission, intake and lanes, wired as in gateway/start.ts, with a
// call in place of HTTP.
import { Subscription } from "../../broker/subscriber.ts";
import { ORDERS_EXCHANGE, ordersKey } from "../../broker/topology.ts";
import { gatewayQueue, type Push } from "../../core/domain/push.ts";
import { shardOf } from "../../core/domain/shard.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import { SharedClock } from "../../core/stores/clock.ts";
import type { Principal } from "../../gateway/access/auth.ts";
import { Admission } from "../../gateway/admission/admission.ts";
import { Catalogue } from "../../gateway/catalogue.ts";
import { cancelResult } from "../../gateway/http/cancel-http.ts";
import { Problem } from "../../gateway/http/problem.ts";
import type { Recipient, Verdict } from "../../gateway/intake/batch.ts";
import { Counters } from "../../gateway/intake/counters.ts";
import { Intake } from "../../gateway/intake/intake.ts";
import { Lanes } from "../../gateway/intake/lanes.ts";
import { DEFAULT_LIMITS } from "../../gateway/intake/limits.ts";
import { Undecided } from "../../gateway/intake/undecided.ts";
import type { Answer } from "../load/lane.ts";
import type { Outside } from "./outside.ts";
import type { SimulatedProcess } from "./process.ts";
import { type Action, SALE_ID } from "./schedule.ts";

/**
 * As gateway/start.ts has them. The admission's ticks are left out: a hundred a second of each
 * gateway would be half of all events, and nothing here is overloaded.
 */
const PACE_MS = 10;
const ADMISSION = { targetMs: 2_000, stallOrders: 20_000, lateMs: 50 };
/** gateway/http/cancel-http.ts */
const OUTCOME_WAIT_MS = 3_000;

type Give = (answer: Answer) => void;

export class SimulatedGateway {
  private constructor(
    readonly process: SimulatedProcess,
    readonly region: string,
    private readonly shards: number,
    private readonly intake: Intake,
  ) {}

  static async start(
    outside: Outside,
    process: SimulatedProcess,
    region: string,
    id: string,
  ): Promise<SimulatedGateway> {
    const { shards, log } = outside;
    const { ledger } = await outside.ledger(process);
    const redis = await outside.redis(process);
    const clock = new SharedClock(redis, { runtime: process, log });
    await ignore(clock.start(), "clock_sync");
    const [link] = await outside.links(process, [region]);
    if (!link) throw new Error(`no region '${region}'`);
    const admission = new Admission({
      ...ADMISSION,
      ...{ runtime: process, shards, brokerBlocked: () => !link.publisher.ready },
    });
    const undecided = new Undecided(DEFAULT_LIMITS.undecidedOrders, {
      onDecided: (batch) => admission.settled(batch, true),
      onForgotten: (batch) => admission.settled(batch, false),
    });
    const pushes = new Subscription(link.consuming, {
      ...{ queue: gatewayQueue(id), prefetch: 0, exclusive: true, noAck: true },
      handler: ({ body }) => undecided.push(JSON.parse(body.toString()) as Push),
    });
    await pushes.start();
    const catalogue = new Catalogue(process, ledger);
    await catalogue.start();
    const lanes = new Lanes({
      ...{ runtime: process, shards, limits: DEFAULT_LIMITS, paceMs: () => PACE_MS },
      numberPrefix: `${process.wallMs().toString(36)}-`,
      publish: (shard, body, batch) =>
        link.publisher.publish(ORDERS_EXCHANGE, ordersKey(shard), body, {
          ...{ messageId: batch, appId: id, type: "orders.v1" },
          headers: { "x-accepted-at": clock.now() },
        }),
      onSending: (batch) => {
        admission.sent(batch);
        undecided.add(batch);
      },
      onSettled: (batch, verdict) => {
        if (verdict !== "confirmed") admission.settled(batch, false);
        undecided.settled(batch);
      },
    });
    const counters = new Counters();
    const parts = { runtime: process, shards, clock: clock.now, catalogue, lanes, admission };
    return new SimulatedGateway(process, region, shards, new Intake({ ...parts, counters }));
  }

  /** A client's request. `outcome` receives the words of an order that it placed. */
  take(action: Action, give: Give, outcome: (word: string) => void): void {
    const waiting = action.kind === "cancel" ? this.cancels(give) : new Waiting(give, outcome);
    const refusal = this.place(action, waiting);
    if (refusal) give(answerOf(refusal));
  }

  private place(action: Action, recipient: Recipient): Problem | undefined {
    const { user } = action;
    const principal: Principal = {
      ...{
        user,
        shard: shardOf(user, this.shards),
        operator: false,
        viewer: false,
        service: false,
      },
      expiresAtMs: Number.POSITIVE_INFINITY,
    };
    switch (action.kind) {
      case "order": {
        const value = { id: action.id, ...action.body };
        return this.intake.order(value, principal, null, recipient, undefined);
      }
      case "cancel":
        return this.intake.cancel({ user, id: action.id }, principal, recipient, undefined);
      case "skip": {
        const value = { saleId: SALE_ID, seq: action.seq };
        return this.intake.skip(value, principal, recipient, undefined);
      }
    }
  }

  /** Answers a cancel as cancel-http.ts does: with its result, if that comes in time. */
  private cancels(give: Give): Recipient {
    const word = Promise.withResolvers<string>();
    const settled = async (verdict: Verdict) => {
      if (verdict !== "confirmed") return give(unsettled(verdict));
      const late = this.process.sleep(OUTCOME_WAIT_MS).then(() => "");
      const result = cancelResult(await Promise.race([word.promise, late]));
      if (result instanceof Problem) give(answerOf(result));
      else give({ status: result === "cancelled" ? 200 : 202, code: "" });
    };
    return {
      follows: true,
      settled: (verdict) => void settled(verdict),
      decided: (_user, _id, found) => word.resolve(found),
      forgotten: () => word.resolve(""),
    };
  }
}

class Waiting implements Recipient {
  readonly follows = true;
  constructor(
    private readonly give: Give,
    private readonly outcome: (word: string) => void,
  ) {}

  settled(verdict: Verdict): void {
    this.give(verdict === "confirmed" ? { status: 202, code: "" } : unsettled(verdict));
  }
  decided(_user: string, _id: string, word: string): void {
    this.outcome(word);
  }
  forgotten(): void {}
}

function answerOf({ status, code }: Problem): Answer {
  return { status, code };
}

function unsettled(verdict: Exclude<Verdict, "confirmed">): Answer {
  return { status: 503, code: verdict };
}
