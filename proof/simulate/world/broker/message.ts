// What lies in the simulated broker's queues.

export type Table = Readonly<Record<string, unknown>>;

export interface Properties extends Table {
  readonly headers?: Table;
  readonly deliveryMode?: number;
  /** Ms, as text. */
  readonly expiration?: string;
  readonly userId?: string;
}

/** As published. */
export interface Publication {
  readonly exchange: string;
  readonly routingKey: string;
  readonly properties: Properties;
  readonly content: Buffer;
}

/** A publication in a queue. */
export interface Message extends Publication {
  /** Its place in the queue. */
  readonly seq: number;
  /** How often it went back to the queue. */
  returns: number;
  readonly expiresAtMs: number | undefined;
}

/** Why the broker closes a channel. */
export class Refused extends Error {
  override name = "Refused";
  constructor(
    readonly code: 403 | 404 | 405 | 406,
    text: string,
  ) {
    super(text);
  }
}

/** A copy of a table of the protocol, with what amqplib inherits in it. */
export function tableOf(value: unknown): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const key in value as Record<string, unknown>) {
    const member = (value as Record<string, unknown>)[key];
    if (member !== undefined) copy[key] = member;
  }
  return copy;
}
