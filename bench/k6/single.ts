// Single orders, look-ups and cancels over HTTP, and what may come back for each.
import http, { type RefinedResponse, type ResponseType } from "k6/http";
import { Counter } from "k6/metrics";
import { HEADERS, orderId, SALE, URL } from "./orders.ts";

export const accepted = new Counter("orders_accepted");
export const refused = new Counter("orders_refused");
/** Requests that got no answer. */
export const unanswered = new Counter("orders_unanswered");
/** Answers that are neither a result nor a refusal of this call. */
export const unexpected = new Counter("answers_unexpected");

/** An order that was accepted. */
export interface Placed {
  readonly id: string;
  readonly user: string;
}

type Answer = RefinedResponse<ResponseType | undefined>;

const tagged = (name: string) => ({ headers: HEADERS, tags: { name } });

/** Places an order of one unit; undefined if it was refused or not answered. */
export function place(user: string, sku: string): { placed?: Placed; answer: Answer } {
  const id = orderId();
  const lines = `[{"sku":"${sku}","qty":1}]`;
  const body =
    `{"id":"${id}","user":"${user}","saleId":"${SALE}","currency":"EUR",` + `"lines":${lines}}`;
  const answer = http.post(`${URL}/v1/orders`, body, tagged("order"));
  if (answer.status === 202) accepted.add(1);
  else if (isRefusal(answer)) refused.add(1, { code: codeOf(answer) });
  else strange(answer);
  return answer.status === 202 ? { placed: { id, user }, answer } : { answer };
}

/** The order's state; undefined while nobody knows it. */
export function lookUp({ id, user }: Placed): string | undefined {
  const answer = http.get(`${URL}/v1/orders/${id}?user=${user}`, tagged("look-up"));
  if (answer.status === 200) return String((answer.json() as { status?: string }).status);
  if (answer.status !== 404) strange(answer);
  return undefined;
}

export function cancel({ id, user }: Placed): void {
  const answer = http.del(`${URL}/v1/orders/${id}?user=${user}`, null, tagged("cancel"));
  if (![200, 202, 409].includes(answer.status) && !isRefusal(answer)) strange(answer);
}

/** 409, 429, and 503 if the order was certainly not accepted; any other 5xx is a failure. */
function isRefusal(answer: Answer): boolean {
  if (answer.status === 503) return ["shed", "unavailable"].includes(codeOf(answer));
  return answer.status === 409 || answer.status === 429;
}

function codeOf(answer: Answer): string {
  return String((answer.json() as { code?: string } | null)?.code);
}

function strange(answer: Answer): void {
  if (answer.status === 0) unanswered.add(1);
  else unexpected.add(1, { status: String(answer.status) });
}

http.setResponseCallback(http.expectedStatuses(200, 202, 404, 409, 429, 503));
