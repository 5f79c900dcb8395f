// An order's events over HTTP (server-sent events). A stream that ends is opened again, at another
// gateway if need be, after the last event received.
import { type Gateways, judge } from "./gateways.ts";
import { onAbort, sleep, startTimer, stopTimer } from "./platform.ts";
import { isObject, type Problem, Refused, readProblem, Unfinished } from "./problem.ts";
import { Deadline, type Waiting, waitOf } from "./settle.ts";

export interface OrderEvent {
  /** Grows within the order. Pass it as `after` to continue behind this event. */
  readonly n: number;
  /** A state, or what else happened: `charge_failed`, `refunded`, `claimed` … */
  readonly event: string;
  /** RFC 3339. */
  readonly at: string;
  readonly detail?: unknown;
}

export interface Following extends Waiting {
  /** Only events behind this one; without it, all. */
  readonly after?: number;
}

/** Where an order's events come from: HTTP, or a WebSocket. */
export interface EventSource {
  events(id: string, user: string | undefined, options: Following): AsyncIterable<OrderEvent>;
  /** What may come before the events themselves: outcomes that are pushed. */
  news?(
    id: string,
    user: string | undefined,
    options: Following,
  ): AsyncIterable<Partial<OrderEvent> & Pick<OrderEvent, "event">>;
}

export const FOLLOW_DEADLINE_MS = 15 * 60_000;
/** Gateways write something every 15 s. */
const SILENCE_MS = 40_000;
/** One event's text. */
const MAX_EVENT_CHARS = 256 * 1024;

export class HttpEvents implements EventSource {
  constructor(private readonly gateways: Gateways) {}

  async *events(
    id: string,
    user: string | undefined,
    options: Following,
  ): AsyncGenerator<OrderEvent> {
    const until = new Deadline({ deadlineMs: FOLLOW_DEADLINE_MS, ...options });
    let last = options.after ?? -1;
    let problem: Problem | undefined;
    let failures = 0;
    try {
      while (!until.reason) {
        const streams = new AbortController();
        const stop = () => streams.abort();
        const forget = onAbort(until.signal, stop);
        try {
          const opened = await this.open(id, user, last, streams);
          if (opened === "over") return;
          if ("code" in opened) problem = opened;
          else
            for await (const event of readEvents(opened.body, streams)) {
              failures = 0;
              if (event.n <= last) continue;
              last = event.n;
              yield event;
            }
        } catch (error) {
          if (error instanceof Refused) throw error;
          this.gateways.failed(this.gateways.url);
        } finally {
          forget();
          streams.abort();
        }
        await sleep(Math.min(waitOf(failures++, problem), until.leftMs), until.signal);
        problem = undefined;
      }
      const reason = until.reason ?? "deadline";
      throw new Unfinished(`events of order ${id}`, reason, "unknown", problem, id);
    } finally {
      until.end();
    }
  }

  private async open(
    id: string,
    user: string | undefined,
    last: number,
    streams: AbortController,
  ): Promise<"over" | Problem | { readonly body: ReadableStream<Uint8Array> }> {
    const timer = startTimer(() => streams.abort(), SILENCE_MS);
    try {
      const path = `/v1/orders/${id}/events`;
      const query = user === undefined ? "" : `?${new URLSearchParams({ user })}`;
      const headers: Record<string, string> = last < 0 ? {} : { "last-event-id": String(last) };
      const { response } = await this.gateways.stream(path + query, headers, streams.signal);
      if (response.status === 204) return "over";
      if (response.ok && response.body) return { body: response.body };
      return this.refusal(response.status, await response.json().catch(() => undefined));
    } finally {
      stopTimer(timer);
    }
  }

  private refusal(status: number, body: unknown): Problem {
    const problem = readProblem(body, status);
    if (status === 401 && this.gateways.renewToken()) return problem;
    if (judge(problem).kind === "refused") throw new Refused(problem);
    if (problem.code === "unavailable") this.gateways.failed(this.gateways.url);
    return problem;
  }
}

/** Parses a stream until it ends, breaks or is silent for too long. */
async function* readEvents(
  body: ReadableStream<Uint8Array>,
  streams: AbortController,
): AsyncGenerator<OrderEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (true) {
    const timer = startTimer(() => streams.abort(), SILENCE_MS);
    const { done, value } = await reader.read().finally(() => stopTimer(timer));
    if (done) return;
    text += decoder.decode(value, { stream: true });
    const blocks = text.split(/\r?\n\r?\n/);
    text = blocks.pop() ?? "";
    if (text.length > MAX_EVENT_CHARS) throw new Error("an event without an end");
    for (const block of blocks) {
      const event = readEvent(block);
      if (event) yield event;
    }
  }
}

/** `accepted` before the first event has no id, and comments have no data: both are left out. */
export function readEvent(block: string): OrderEvent | undefined {
  const fields = new Map<string, string>();
  for (const line of block.split(/\r?\n/)) {
    const [, name, value] = /^([a-z]+): ?(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) fields.set(name, value);
  }
  const n = Number(fields.get("id") ?? Number.NaN);
  const text = fields.get("data");
  if (!Number.isSafeInteger(n) || text === undefined) return undefined;
  const data: unknown = JSON.parse(text);
  if (!isObject(data) || typeof data.event !== "string") return undefined;
  const { event, at, detail } = data;
  return { n, event, at: String(at), ...(detail === undefined ? {} : { detail }) };
}
