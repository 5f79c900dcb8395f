// Errors of the stores' clients that nobody has translated on their way here. What a person needs
// of them is one line: which store does not answer, or what the broker has refused.
import { messageOf } from "../core/domain/message-of.ts";
import { EXIT_UNAVAILABLE } from "./exits.ts";

export interface ClientError {
  readonly line: string;
  readonly code: number;
}

/** Of ioredis, without a connection or without an answer in time. */
const REDIS_AWAY = [
  /^Connection is closed\.|isn't writeable/,
  /^Command timed out|^Socket timeout|^Reached the max retries/,
];
/** Of amqplib, while a connection or channel closes or after it. */
const BROKER_AWAY = [
  /^(Connection|Channel) (closed|closing|ended)/,
  /^Unexpected close|^Socket closed abruptly|^Heartbeat timeout/,
];
/** Of amqplib: what the broker answered. */
const BROKER_REFUSED = /^(?:Operation failed|Channel closed by server): .*with message "([^"]+)"/s;
const SOCKET = new Set(["ECONNREFUSED", "ECONNRESET", "ENOTFOUND", "ETIMEDOUT", "EHOSTUNREACH"]);

/** undefined: it is no client's error. */
export function clientErrorOf(error: unknown): ClientError | undefined {
  const text = messageOf(error);
  const refused = BROKER_REFUSED.exec(text)?.[1];
  if (refused !== undefined) return { line: `the broker refuses: ${refused}`, code: 1 };
  if (REDIS_AWAY.some((one) => one.test(text))) return away("Redis");
  if (BROKER_AWAY.some((one) => one.test(text))) return away("the broker");
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return SOCKET.has(String(code)) ? { line: text, code: EXIT_UNAVAILABLE } : undefined;
}

const away = (store: string): ClientError => ({
  line: `${store} does not answer`,
  code: EXIT_UNAVAILABLE,
});
