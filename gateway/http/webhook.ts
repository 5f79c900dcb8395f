// POST /v1/payments/webhook: the payment provider's signed report on a charge. It becomes one more
// answer to the attempt, published to the order's shard. Only 200 stops the provider's retries, so
// 200 means: accepted, or correctly without effect.
import type { AnswerWord } from "../../core/domain/charge.ts";
import {
  checkWebhook,
  ID_HEADER,
  SIGNATURE_HEADER,
  TIMESTAMP_HEADER,
  webhookKey,
} from "../../core/domain/webhook-signature.ts";
import type { Recipient, Verdict } from "../intake/batch.ts";
import { readJson } from "../intake/json.ts";
import { readBody } from "./body.ts";
import type { App, AppParts } from "./calls.ts";
import { Problem, problem, Refused } from "./problem.ts";
import { type ChargeEvent, meaningOf, readEvent } from "./webhook-event.ts";

/** An event of the contract has 300 bytes; other kinds may be longer. */
const MAX_BODY_BYTES = 16_384;
/** Ids remembered: several minutes' worth. An unrecognised replay changes nothing either. */
const MAX_REMEMBERED = 10_000;

/** The result of a webhook, as it is counted. */
export type WebhookOutcome =
  | "taken"
  | "no_news"
  | "replay"
  | "unknown_kind"
  | "not_ours"
  | "misfit"
  | "forged"
  | "late";

export function addWebhook(app: App, parts: AppParts): void {
  const desk = new WebhookDesk(parts);
  app.post("/v1/payments/webhook", async (c) => {
    const text = await desk.open(c.req.raw);
    const outcome = await desk.take(c.req.header(ID_HEADER) as string, text);
    return c.json({ taken: outcome === "taken", outcome });
  });
}

class WebhookDesk {
  private readonly keys: readonly Buffer[];
  private readonly remembered = new Set<string>();

  constructor(private readonly parts: AppParts) {
    this.keys = (parts.options.access.webhookSecrets ?? []).map(webhookKey);
  }

  /** The body of a request signed by the provider; throws Refused. */
  async open(request: Request): Promise<string> {
    if (this.keys.length === 0)
      throw new Refused(problem("not_found", undefined, "no webhook secret is configured"));
    const text = await readBody(request, MAX_BODY_BYTES);
    if (text instanceof Problem) throw new Refused(text);
    const header = (name: string) => request.headers.get(name) ?? undefined;
    const signed = {
      id: header(ID_HEADER),
      timestamp: header(TIMESTAMP_HEADER),
      signature: header(SIGNATURE_HEADER),
    };
    const verdict = checkWebhook(signed, text, this.keys, this.parts.options.clock());
    if (verdict === "good") return text;
    this.parts.orders.counters.webhook(verdict);
    throw new Refused(verdict === "late" ? LATE : FORGED);
  }

  /** Acts on a signed webhook; throws Refused if the provider should send it again. */
  async take(id: string, text: string): Promise<WebhookOutcome> {
    if (this.remembered.has(id)) return this.counted("replay");
    const outcome = await this.judge(text);
    this.remember(id);
    return this.counted(outcome);
  }

  private async judge(text: string): Promise<WebhookOutcome> {
    const value = readJson(text);
    if (value instanceof Problem) throw new Refused(value);
    const reading = readEvent(value);
    if (reading.kind === "misfit") throw this.misfit(text, reading.field, "not as documented");
    if (reading.kind !== "event") return this.without(reading.kind, text);
    const { event } = reading;
    const { user, id, generation, attempt } = event.of;
    const { ledger } = this.parts.options.stores;
    const recorded = await ledger.attempt(user, id, generation, attempt);
    if (!recorded) return this.without("not_ours", text);
    const meaning = meaningOf(event, recorded);
    if (meaning.kind === "misfit") throw this.misfit(text, meaning.field, "not this charge's");
    if (meaning.kind === "no_news") return "no_news";
    for (const word of meaning.words) await this.publish(event, word);
    return "taken";
  }

  private async publish(event: ChargeEvent, word: AnswerWord): Promise<void> {
    const waiting = new Confirm();
    const refusal = this.parts.orders.intake.answer(event.of, word, waiting);
    if (refusal) throw new Refused(refusal);
    const confirmed = await waiting.verdict;
    if (confirmed !== "confirmed") throw new Refused(problem(confirmed));
  }

  private without(outcome: "unknown_kind" | "not_ours", text: string): WebhookOutcome {
    this.parts.log("webhook without effect", { outcome, body: text.slice(0, MAX_LOGGED) });
    return outcome;
  }

  /** An operator should look: the provider and the ledger disagree about money. */
  private misfit(text: string, field: string, detail: string): Refused {
    this.parts.orders.counters.webhook("misfit");
    const body = text.slice(0, MAX_LOGGED);
    this.parts.log("webhook contradicts the ledger", { field, detail, body });
    return new Refused(problem("out_of_range", field === "" ? undefined : field, detail));
  }

  private counted(outcome: WebhookOutcome): WebhookOutcome {
    this.parts.orders.counters.webhook(outcome);
    return outcome;
  }

  private remember(id: string): void {
    this.remembered.add(id);
    if (this.remembered.size <= MAX_REMEMBERED) return;
    const [oldest = ""] = this.remembered;
    this.remembered.delete(oldest);
  }
}

const FORGED = problem("bad_token", SIGNATURE_HEADER, "not signed by the provider");
const LATE = problem("bad_token", TIMESTAMP_HEADER, "signed too long ago, or in the future");
/** Length of a body in a log line. */
const MAX_LOGGED = 500;

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
