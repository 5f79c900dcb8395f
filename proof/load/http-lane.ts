// A crowd of HTTP clients. Each order is a request with its user's own token; many run at once over
// kept-alive connections.

import { realRuntime } from "../../core/runtime/runtime.ts";
import { type Answer, Errand, type LaneOptions } from "./lane.ts";
import type { Step } from "./plan.ts";

export interface HttpLaneOptions extends LaneOptions {
  /** The Authorization header of a user. */
  readonly authorization: (user: string) => string;
  readonly concurrency: number;
}

const IDLE_MS = 20;
/** A later answer counts as lost; the gateway waits less than this for a confirm. */
const ANSWER_TIMEOUT_MS = 20_000;

export async function runHttpLane(options: HttpLaneOptions): Promise<void> {
  const due: Errand[] = [];
  let next = 0;
  let open = options.steps.length;
  const take = (): Errand | undefined => {
    const again = due.shift();
    if (again) return again;
    const step = options.steps[next];
    if (step) next++;
    return step && new Errand(step, options);
  };
  const clients = Array.from({ length: options.concurrency }, async () => {
    while (open > 0) {
      const errand = take();
      if (!errand) {
        await realRuntime.sleep(IDLE_MS);
        continue;
      }
      errand.begin("http");
      const again = errand.end(await send(errand, options), "http");
      // A refused client comes back later; meanwhile the connection serves others.
      if (again === undefined) open--;
      else realRuntime.startTimer(() => due.push(errand), again);
    }
  });
  await Promise.all(clients);
}

async function send(
  { step }: Errand,
  { target, saleId, authorization }: HttpLaneOptions,
): Promise<Answer> {
  const { method, path, user, body } = callOf(step, saleId);
  try {
    const response = await fetch(target.url + path, {
      method,
      headers: { "content-type": "application/json", authorization: authorization(user) },
      body,
      signal: realRuntime.abortAfter(ANSWER_TIMEOUT_MS),
    });
    const text = await response.text();
    const afterMs = Number(response.headers.get("retry-after") ?? 0) * 1_000;
    if (!response.ok) return { status: response.status, code: codeOf(text), afterMs };
    const state = step.kind === "cancel" ? stateOf(text) : "";
    return { status: response.status, code: "", afterMs, state };
  } catch {
    return { status: 0, code: "lost" };
  }
}

function callOf(
  step: Step,
  saleId: string,
): { method: string; path: string; user: string; body?: string } {
  switch (step.kind) {
    case "order":
      return {
        method: "POST",
        path: "/v1/orders",
        user: step.order.user,
        body: `{"id":"${step.order.id}",${step.bodyText.slice(1)}`,
      };
    case "cancel":
      return { method: "DELETE", path: `/v1/orders/${step.order.id}`, user: step.order.user };
    case "skip":
      return {
        method: "POST",
        path: "/v1/orders/skip",
        user: step.user,
        body: JSON.stringify({ saleId, seq: step.seq }),
      };
  }
}

const codeOf = (text: string): string => memberOf(text, "code");
const stateOf = (text: string): string => memberOf(text, "status");

function memberOf(text: string, name: string): string {
  try {
    return String((JSON.parse(text) as Record<string, unknown>)[name] ?? "unreadable");
  } catch {
    return "unreadable";
  }
}
