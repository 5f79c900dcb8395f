// A crowd of HTTP clients. Each order is a request with its user's own token; many run at once over
// kept-alive connections.

import { realRuntime } from "../../core/runtime/runtime.ts";
import { type Answer, Errand, type LaneOptions } from "./lane.ts";
import { LOOK_MS } from "./open-loop.ts";
import type { Step } from "./plan.ts";

export interface HttpLaneOptions extends LaneOptions {
  /** The Authorization header of a user. */
  readonly authorization: (user: string) => string;
  readonly concurrency: number;
}

/** A later answer counts as lost; the gateway waits less than this for a confirm. */
const ANSWER_TIMEOUT_MS = 20_000;

/** Resolves when every step has its answer, or, in an open loop that ended, every step sent. */
export async function runHttpLane(options: HttpLaneOptions): Promise<void> {
  const { steps, openLoop, concurrency } = options;
  const again: Errand[] = [];
  const done = Promise.withResolvers<void>();
  let next = 0;
  /** Sent and not yet settled, including those that wait to be sent again. */
  let open = 0;
  let inFlight = 0;
  const take = (): Errand | undefined => {
    const waiting = again.shift();
    if (waiting) return waiting;
    const step = steps[next];
    if (!step || openLoop?.due(step) === false) return undefined;
    next++;
    open++;
    return new Errand(step, options);
  };
  const fill = (): void => {
    while (inFlight < concurrency) {
      const errand = take();
      if (!errand) break;
      inFlight++;
      void run(errand);
    }
    if (open === 0 && (next === steps.length || openLoop?.over)) done.resolve();
  };
  const run = async (errand: Errand): Promise<void> => {
    errand.begin("http");
    const againMs = errand.end(await send(errand, options), "http");
    inFlight--;
    // A refused client comes back later; meanwhile the connection serves others.
    if (againMs === undefined) open--;
    else
      realRuntime.startTimer(() => {
        again.push(errand);
        fill();
      }, againMs);
    fill();
  };
  const looking = openLoop && realRuntime.startInterval(fill, LOOK_MS);
  fill();
  await done.promise;
  realRuntime.stopTimer(looking);
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
    const region = regionOf(text);
    if (!response.ok) return { status: response.status, code: codeOf(text), afterMs, region };
    const state = step.kind === "cancel" ? stateOf(text) : "";
    return { status: response.status, code: "", afterMs, state, region };
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

/** Only answers about an order that is elsewhere name a region. */
function regionOf(text: string): string | undefined {
  return text.includes('"region"') ? (JSON.parse(text) as { region?: string }).region : undefined;
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
