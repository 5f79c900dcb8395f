// POST /v1/payments/webhook: what the payment provider says of a charge, signed. It is one more answer to the attempt, published to the
// order's shard: one that is not news there changes nothing.
import { parseChargeKey } from "../core/domain/charge.ts";
import { checkWebhook, SIGNATURE_HEADER } from "../core/webhook-signature.ts";
import type { Recipient, Verdict } from "./batch.ts";
import { readBody } from "./body.ts";
import type { App, AppParts } from "./calls.ts";
import { isObject } from "./check-order.ts";
import { readJson } from "./json.ts";
import { Problem, problem, Refused } from "./problem.ts";

const MAX_BODY_BYTES = 4_096;

export function addWebhook(app: App, parts: AppParts): void {
  app.post("/v1/payments/webhook", async (c) => {
    const { webhookSecret, clock } = parts.options;
    if (!webhookSecret)
      throw new Refused(problem("not_found", undefined, "no webhook secret is set"));
    const text = await readBody(c.req.raw, MAX_BODY_BYTES);
    if (text instanceof Problem) throw new Refused(text);
    const verdict = checkWebhook(
      c.req.header(SIGNATURE_HEADER) ?? null,
      text,
      webhookSecret,
      clock(),
    );
    if (verdict !== "good") throw new Refused(verdict === "late" ? LATE : FORGED);
    const value = readJson(text);
    if (value instanceof Problem) throw new Refused(value);
    const answer = answerOf(value);
    if (answer instanceof Problem) throw new Refused(answer);
    if (answer.word === "pending") return c.json({ taken: false });
    const waiting = new Confirm();
    const refusal = parts.intake.answer(answer.of, answer.word, waiting);
    if (refusal) throw new Refused(refusal);
    const confirmed = await waiting.verdict;
    if (confirmed !== "confirmed") throw new Refused(problem(confirmed));
    return c.json({ taken: true });
  });
}

const FORGED = problem("bad_token", SIGNATURE_HEADER, "not signed by the provider");
const LATE = problem("bad_token", SIGNATURE_HEADER, "signed too long ago");

type Answer = {
  readonly of: NonNullable<ReturnType<typeof parseChargeKey>>;
  readonly word: "captured" | "failed" | "pending";
};

function answerOf(value: unknown): Answer | Problem {
  if (!isObject(value)) return problem("not_an_object");
  const { key, status } = value;
  const of = typeof key === "string" ? parseChargeKey(key) : undefined;
  if (!of) return problem("out_of_range", "key", "a charge of ours");
  switch (status) {
    case "captured":
    case "pending":
      return { of, word: status };
    case "declined":
      return { of, word: "failed" };
    default:
      return problem("out_of_range", "status", "captured, declined or pending");
  }
}

class Confirm implements Recipient {
  readonly follows = false;
  private readonly settledWith = Promise.withResolvers<Verdict>();
  readonly verdict = this.settledWith.promise;
  settled(verdict: Verdict): void {
    this.settledWith.resolve(verdict);
  }
  decided(): void {}
  forgotten(): void {}
}
