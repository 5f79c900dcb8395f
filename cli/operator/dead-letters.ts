// Lists, redrives and drops the dead letters of every region. A message goes back where it was
// sent; a failed payment is retried under a new generation, which the ledger grants before anything
// is published. Interrupted at any point, it can be repeated. A region whose broker does not answer
// is named, and the others are served.
import { BrokerConnection } from "../../broker/connection.ts";
import {
  type DeadLetter,
  type Fate,
  isGivenUp,
  walkDeadLetters,
} from "../../broker/dead-letters.ts";
import { BrokerUnavailable } from "../../broker/errors.ts";
import { Publisher } from "../../broker/publisher.ts";
import { ORIGIN } from "../../broker/subscriber.ts";
import {
  ORDERS_DEAD,
  ORDERS_EXCHANGE,
  ordersKey,
  PAYMENTS_DEAD,
  UNROUTED,
} from "../../broker/topology.ts";
import { type Attempt, isAttempt } from "../../core/domain/charge.ts";
import { messageText } from "../../core/domain/message.ts";
import { row0 } from "../../core/domain/rows-v0.ts";
import { nameOfUser } from "../../core/domain/user-name.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { Settings } from "../../core/settings/settings.ts";
import type { Ledger, LetterRecord } from "../../ledger/contract.ts";
import { owedBy } from "./owed-letter.ts";
import { type Holders, sendParts } from "./send-parts.ts";
import { withoutTokens } from "./without-tokens.ts";

export const LETTER_QUEUES = [ORDERS_DEAD, PAYMENTS_DEAD, UNROUTED] as const;
export const MAX_LETTERS = 10_000;

/**
 * Every given field must match. Parts that only wait for a route match if their queue or their id
 * is named: they are no failures, and leave on their own.
 */
export interface LetterFilter {
  readonly id?: string;
  /** One of these. */
  readonly ids?: readonly string[];
  readonly queue?: string;
  /** Text the reason contains. */
  readonly reason?: string;
  readonly user?: string;
}

/** A letter for display. */
export interface Letter {
  readonly id: string;
  readonly region: string;
  readonly queue: string;
  readonly reason: string;
  /** User of the order it is about, if it names one. */
  readonly user?: string;
  readonly order?: string;
  readonly source?: DeadLetter["source"];
  readonly headers: DeadLetter["headers"];
  /** Parsed if it is JSON, otherwise text. */
  readonly body: unknown;
}

export interface Dealt {
  readonly matched: number;
  readonly done: number;
  /** Why each unchanged letter was left. */
  readonly left: readonly { readonly id: string; readonly why: string }[];
  /** Regions whose broker did not answer: what else matches there is as it was. */
  readonly unasked?: readonly string[];
}

export interface Listed {
  readonly letters: readonly Letter[];
  /** Regions whose broker did not answer: letters may be missing. */
  readonly unasked?: readonly string[];
  /** Without a filter: what else is in `fulfilment.unrouted`, where there is any. */
  readonly waiting?: readonly Waiting[];
}

export interface Waiting {
  readonly region: string;
  readonly messages: number;
}

type LetterLedger = Pick<Ledger, "grantRedrive" | "askOnce" | "recordLetter"> & Holders;

interface Region {
  readonly connection: BrokerConnection;
  readonly publisher: Publisher;
}

type Judge = (letter: Letter, raw: DeadLetter, region: Region) => Promise<Fate>;

const DECLARE_NOTHING = { exchanges: [], queues: [], bindings: [] };

export class Letters {
  private constructor(
    private readonly runtime: Runtime,
    private readonly regions: readonly Region[],
    private readonly ledger: LetterLedger,
  ) {}

  static async open(runtime: Runtime, settings: Settings, ledger: LetterLedger): Promise<Letters> {
    const regions: Region[] = [];
    const { regions: all, operatorRegions } = settings;
    for (const region of operatorRegions.length > 0 ? operatorRegions : all) {
      const connection = new BrokerConnection({ runtime, region, topology: DECLARE_NOTHING });
      const publisher = new Publisher(connection, { confirmTimeoutMs: settings.confirmTimeoutMs });
      await publisher.start();
      await connection.start();
      regions.push({ connection, publisher });
    }
    return new Letters(runtime, regions, ledger);
  }

  /** Over connections that somebody else opens and closes. */
  static over(runtime: Runtime, regions: readonly Region[], ledger: LetterLedger): Letters {
    return new Letters(runtime, regions, ledger);
  }

  async close(): Promise<void> {
    for (const { connection } of this.regions) await connection.close();
  }

  /** The matching letters among the first `limit` of each queue, oldest first. */
  async list(filter: LetterFilter, limit: number): Promise<Listed> {
    const letters: Letter[] = [];
    const waiting: Waiting[] = [];
    const keep: Judge = async (letter) => {
      letters.push(letter);
      return "keep";
    };
    const unasked = await this.walk(filter, limit, keep, (count) => waiting.push(count));
    const all = Object.values(filter).every((field) => field === undefined);
    return { letters, ...(all && waiting.length > 0 ? { waiting } : {}), ...unasked };
  }

  /**
   * Records each drop in the ledger before the letter is removed. A letter about money owed stays.
   */
  drop(filter: LetterFilter, limit: number, subject: string): Promise<Dealt> {
    return this.deal(filter, limit, async (letter, raw) => {
      const owed = letter.queue === PAYMENTS_DEAD && (await owedBy(this.ledger, letter.body));
      if (owed) return owed;
      await this.ledger.recordLetter(
        recordOf(this.runtime.wallMs(), letter, raw, "dropped", subject),
      );
      return undefined;
    });
  }

  /**
   * Records each redrive once the broker has confirmed it, before the letter is removed: a record
   * of a mere intent would excuse a letter that was lost.
   */
  redrive(filter: LetterFilter, limit: number, subject: string): Promise<Dealt> {
    return this.deal(filter, limit, async (letter, raw, region) => {
      const why =
        letter.queue === PAYMENTS_DEAD
          ? await this.chargeAgain(letter, region, subject)
          : letter.queue === UNROUTED
            ? notConfirmed(await sendParts(this.ledger, region.publisher, raw))
            : await sendAgain(raw, region);
      if (why === undefined)
        await this.ledger.recordLetter(
          recordOf(this.runtime.wallMs(), letter, raw, "redriven", subject),
        );
      return why;
    });
  }

  /** `work` returns why a letter stays, or undefined. */
  private async deal(
    filter: LetterFilter,
    limit: number,
    work: (letter: Letter, raw: DeadLetter, region: Region) => Promise<string | undefined>,
  ): Promise<Dealt> {
    const left: { id: string; why: string }[] = [];
    let matched = 0;
    const unasked = await this.walk(filter, limit, async (letter, raw, region) => {
      matched++;
      const why = await work(letter, raw, region);
      if (why === undefined) return "drop";
      left.push({ id: letter.id, why });
      return "keep";
    });
    return { matched, done: matched - left.length, left, ...unasked };
  }

  /**
   * For a failed payment, tries the order again. For a refund or look-up that was given up, or a
   * request that was invalid, asks the provider again.
   */
  private async chargeAgain(
    { body: said, reason }: Letter,
    { publisher }: Region,
    subject: string,
  ): Promise<string | undefined> {
    const of = (said ?? {}) as Partial<Attempt>;
    if (reason !== "payment_failed" && isAttempt(of)) {
      await this.ledger.askOnce(of);
      return undefined;
    }
    const { user, id, generation } = of;
    if (typeof user !== "string" || typeof id !== "string" || typeof generation !== "number")
      return "it names no order";
    const grant = await this.ledger.grantRedrive(user, id, generation, subject);
    if (grant === "unknown")
      return "one of its attempts may still be captured; redrive it once that is known";
    // An earlier redrive of this letter has already continued the order, so nothing is left to do.
    if (grant === "settled" || grant === "superseded") return undefined;
    const body = Buffer.from(messageText([grant.row]));
    const to = ordersKey(grant.shard);
    return notConfirmed(await publisher.publish(ORDERS_EXCHANGE, to, body, { type: "orders.v1" }));
  }

  /** Regions one after the other; rejects if none of them answers. */
  private async walk(
    filter: LetterFilter,
    limit: number,
    judge: Judge,
    note: (waiting: Waiting) => void = () => undefined,
  ): Promise<{ unasked?: readonly string[] }> {
    const silent: BrokerUnavailable[] = [];
    const unasked: string[] = [];
    for (const region of this.regions) {
      try {
        const waiting = await walkRegion(region, filter, limit, judge);
        if (waiting > 0) note({ region: region.connection.region, messages: waiting });
      } catch (error) {
        // What a judge throws, such as a ledger that records nothing, ends the walk.
        if (!(error instanceof BrokerUnavailable)) throw error;
        silent.push(error);
        unasked.push(region.connection.region);
      }
    }
    if (silent[0] && silent.length === this.regions.length) throw silent[0];
    return unasked.length > 0 ? { unasked } : {};
  }
}

/** Returns how many messages wait in `fulfilment.unrouted` besides those that a service gave up. */
async function walkRegion(
  region: Region,
  filter: LetterFilter,
  limit: number,
  judge: Judge,
): Promise<number> {
  const named = filter.queue ?? filter.id ?? filter.ids;
  let waiting = 0;
  for (const queue of LETTER_QUEUES) {
    if (queue !== (filter.queue ?? queue)) continue;
    let givenUp = 0;
    await walkDeadLetters(region.connection, queue, limit, async (raw, present) => {
      if (queue === UNROUTED) {
        if (isGivenUp(raw)) givenUp++;
        waiting = present - givenUp;
        if (!isGivenUp(raw) && named === undefined) return "keep";
      }
      const letter = letterOf(raw);
      return matches(filter, letter) ? judge(letter, raw, region) : "keep";
    });
  }
  return waiting;
}

/**
 * Only a message with a known destination can be resent; a letter about an order that is on record
 * as it is would change nothing.
 */
async function sendAgain(
  { id, source, type, body, headers }: DeadLetter,
  { publisher }: Region,
): Promise<string | undefined> {
  if (!source) return "the order is already on record as it is; there is nothing to send again";
  return notConfirmed(
    await publisher.publish(source.exchange, source.routingKey, body, {
      type,
      // Its first publisher still determines what it may contain.
      headers: { "x-redriven": id, [ORIGIN]: headers[ORIGIN] ?? "" },
    }),
  );
}

function notConfirmed(outcome: string): string | undefined {
  return outcome === "confirmed" ? undefined : `not sent again: the broker answered ${outcome}`;
}

function recordOf(
  atMs: number,
  { id: letter, region, queue, reason, user = "", order = "", body }: Letter,
  raw: DeadLetter,
  fate: LetterRecord["fate"],
  subject: string,
): LetterRecord {
  const { generation } = (body ?? {}) as { generation?: unknown };
  return {
    ...{ letter, region, queue, fate, reason, user, id: order, subject },
    generation: isCount(generation) ? generation : 0,
    atMs,
    body: raw.body.toString(),
  };
}

/** Letters may contain anything; a number out of the column's range must not prevent a drop. */
function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0 && (value as number) < 2 ** 31;
}

/** A letter as people look at it, whatever it holds. */
export function letterOf({ id, region, queue, source, headers, body: bytes }: DeadLetter): Letter {
  const text = bytes.toString();
  const body = byNames(jsonOf(text) ?? text);
  const about = ordersIn(body);
  const reason = String(
    headers["x-reason"] ??
      (body as { reason?: unknown }).reason ??
      (queue === UNROUTED ? "no route" : "given up by the broker"),
  );
  return { id, region, queue, reason, ...about, source, headers, body: withoutTokens(body) };
}

/** An order that could not be decided is in its letter as a row, in older letters as an array. */
function byNames(body: unknown): unknown {
  const { row } = body as { readonly row?: unknown };
  return Array.isArray(row) ? { ...(body as object), row: row0(row) ?? row } : body;
}

/** A failed payment names its order, a rejected order has its row, and a part names its order. */
function ordersIn(body: unknown): { user?: string; order?: string } {
  const first: unknown = Array.isArray(body) ? body[0] : body;
  const { row, ...said } = (first ?? {}) as { row?: { order?: object } };
  const { user, id } = { ...said, ...row?.order } as { user?: unknown; id?: unknown };
  return typeof user === "string" ? { user, ...(typeof id === "string" ? { order: id } : {}) } : {};
}

function matches({ id, ids, reason, user }: LetterFilter, letter: Letter): boolean {
  return (
    (id === undefined || letter.id === id) &&
    (ids === undefined || ids.includes(letter.id)) &&
    (reason === undefined || letter.reason.includes(reason)) &&
    (user === undefined || letter.user === nameOfUser(user))
  );
}

function jsonOf(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
