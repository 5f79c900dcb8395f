// DELETE /v1/orders/:id: cancels an order. The cancel is published to the order's shard and
// confirmed like an order; the answer has its result if the shard records it in time.
import { parseOutcome } from "../../core/domain/entry.ts";
import type { Principal } from "../access/auth.ts";
import { may } from "../access/rights.ts";
import type { Recipient, Verdict } from "../intake/batch.ts";
import { type App, type AppParts, principalOf } from "./calls.ts";
import { Problem, problem, Refused } from "./problem.ts";
import { FOR_USER } from "./read-orders.ts";
import { read } from "./shape.ts";

/** After this the answer is 202: the cancel is in progress, and the order will show its outcome. */
const OUTCOME_WAIT_MS = 3_000;

export function addCancel(app: App, parts: AppParts): void {
  app.delete("/v1/orders/:id", async (c) => {
    const principal = await principalOf(parts, c.req.header("authorization"));
    const user = buyer(principal, read(FOR_USER, c.req.query()).user);
    const id = c.req.param("id");
    const waiting = new Waiting();
    const refusal = parts.orders.intake.cancel({ user, id }, principal, waiting, undefined);
    if (refusal) return refusal.response();
    const verdict = await waiting.verdict;
    if (verdict !== "confirmed") throw new Refused(problem(verdict));
    const word = await Promise.race([
      waiting.word,
      parts.options.runtime.sleep(OUTCOME_WAIT_MS).then(() => ""),
    ]);
    const result = cancelResult(word);
    if (result instanceof Problem) return parts.orders.intake.refuse(result).response();
    return c.json({ id, status: result }, result === "cancelled" ? 200 : 202, {
      location: `/v1/orders/${id}`,
    });
  });
}

/** Translates the outcome word of a cancel (core/lua/shared/settle.lua) for the client. */
export function cancelResult(word: string): "cancelled" | "cancel_pending" | Problem {
  if (word === "") return "cancel_pending";
  const outcome = parseOutcome(word);
  if (outcome.kind === "known") return "cancelled";
  if (outcome.kind !== "step") return "cancel_pending";
  if (outcome.word === "cancelled" || outcome.word === "cancel_pending") return outcome.word;
  if (outcome.word === "too_late")
    return problem("too_late", "id", "more than two minutes after it was accepted");
  if (outcome.word === "too_many")
    return problem("too_many_cancels", "id", "of orders that have not arrived yet");
  return problem("too_late", "id", `the order is ${outcome.word}`);
}

/** The token's subject, or the user a service names. */
function buyer(principal: Principal, user = principal.user): string {
  if (user !== principal.user && !may(principal, "order_for"))
    throw new Refused(
      problem("forbidden", "user", "only a token with service scope may name the user"),
    );
  return user;
}

class Waiting implements Recipient {
  readonly follows = true;
  private readonly confirm = Promise.withResolvers<Verdict>();
  private readonly outcome = Promise.withResolvers<string>();
  readonly verdict = this.confirm.promise;
  readonly word = this.outcome.promise;
  settled(verdict: Verdict): void {
    this.confirm.resolve(verdict);
  }
  decided(_user: string, _id: string, word: string): void {
    this.outcome.resolve(word);
  }
  forgotten(): void {
    this.outcome.resolve("");
  }
}
