// The functions of core/lua that a shard's owner calls, typed, with their answers as closed unions.
import type { DecidedMessage, Entry, EntryId } from "../domain/entry.ts";
import { readReleased, readSteps } from "../domain/entry-text.ts";
import { splitWords } from "../domain/words.ts";
import { metaKey, outboxKey, RETIRED_KEY, STOCK_PREFIX, shardPrefix } from "./keys.ts";
import type { RedisStore } from "./redis.ts";

/**
 * Why Redis did not serve the owner. `not_ready`: Redis is being rebuilt, or has another
 * incarnation. `halted`: the ledger went back. `fenced`: the shard has a later owner. `clock`:
 * Redis's clock is outside the bounds that the owner passed. `lost`: Redis does not stand at the
 * owner's last entry.
 */
export type Refusal = "not_ready" | "halted" | "fenced" | "clock" | "lost";

/** A message to be decided. `body` is its text, in columns, as published. */
export interface ShardMessage {
  readonly gateway: string;
  readonly batch: string;
  readonly body: string;
}

export interface Decision {
  readonly word: "decided";
  /** For each message, one word per row, separated by commas. */
  readonly outcomes: readonly string[];
  /** The last entry that Redis had before this call. */
  readonly prev: EntryId;
  /** undefined: nothing changed, so there is nothing to record. */
  readonly entry: Entry | undefined;
}

/** An owner's claim on a shard. Every call carries it, and Redis rejects it once it is outdated. */
export interface Claim {
  readonly shard: number;
  readonly incarnation: number;
  readonly epoch: number;
}

export interface DecideOptions {
  readonly entryId: EntryId;
  readonly dedupWindowMs: number;
  /** Gives every fresh order this state instead of deciding it. */
  readonly force?: "rejected" | "stale";
  readonly stockPrefix?: string;
  /** What Redis's clock may show (SharedClock.bounds); anything if left out. */
  readonly clock?: string;
  /** The last entry that the owner has seen; any if left out. */
  readonly tip?: EntryId;
}

export interface SweepOptions {
  readonly entryId: EntryId;
  /** Whatever began at or before this time, on Redis's clock, is over. */
  readonly cutoffMs: number;
  readonly limit: number;
  readonly dedupWindowMs: number;
  readonly clock?: string;
  readonly tip?: EntryId;
}

/** A number that `parked` orders of a user wait for. */
export interface MissingNumber {
  readonly saleId: string;
  readonly user: string;
  readonly seq: number;
  readonly parked: number;
}

/**
 * What in a shard waits for a sweep to end the wait: a missing number (`gaps`), a charge (`holds`),
 * a rate (`fx`).
 */
export type Waits = ReadonlySet<"gaps" | "holds" | "fx">;

export interface Checked {
  readonly word: "whole" | "behind" | "lost" | "went_back" | Refusal;
  /** Empty unless Redis is whole. */
  readonly waits: Waits;
}

export class ShardStore {
  constructor(private readonly redis: RedisStore) {}

  /** Decides messages of one shard in the given order, in one atomic call. */
  async decide(
    claim: Claim,
    messages: readonly ShardMessage[],
    options: DecideOptions,
  ): Promise<Decision | { word: Refusal }> {
    const args: (string | number)[] = [
      claim.incarnation,
      claim.epoch,
      options.entryId,
      options.stockPrefix ?? STOCK_PREFIX,
      options.dedupWindowMs,
      options.force ?? "",
    ];
    for (const m of messages) args.push(m.gateway, m.batch, m.body);
    args.push(options.clock ?? "", options.tip ?? "");
    const reply = await this.call("decide", claim, args);
    if (reply.word !== "decided") return { word: reply.word };
    const outcomes = reply.rest as string[];
    const decided = decidedMessages(messages, outcomes);
    const entry = entryOf(claim.shard, "decide", options.entryId, reply, decided);
    return { word: "decided", prev: reply.prev, outcomes, entry };
  }

  /** Gives up the gaps of at most `limit` users that began at or before `cutoffMs`. */
  async unpark(claim: Claim, options: SweepOptions): Promise<Decision | { word: Refusal }> {
    return this.sweep("unpark", claim, options);
  }

  /**
   * Gives up at most `limit` orders that were reserved at or before `cutoffMs` and whose charge has
   * not started.
   */
  async expire(claim: Claim, options: SweepOptions): Promise<Decision | { word: Refusal }> {
    return this.sweep("expire", claim, options);
  }

  /**
   * Decides orders whose rate has come, or that have waited for it since `cutoffMs` or longer.
   * `pairs`: the rates that orders still wait for.
   */
  async reprice(
    claim: Claim,
    options: SweepOptions,
  ): Promise<(Decision & { readonly pairs: readonly string[] }) | { word: Refusal }> {
    const swept = await this.sweep("reprice", claim, options);
    if (swept.word !== "decided") return swept;
    const { rest, ...decision } = swept;
    return { ...decision, pairs: JSON.parse(String(rest[0])) as string[] };
  }

  async own(claim: Claim, storeId: string): Promise<"owned" | "foreign" | Refusal> {
    return this.word("own", claim.shard, [claim.incarnation, claim.epoch, storeId]);
  }

  /** Whether Redis still has the entry that the ledger recorded last, and what waits there. */
  async check(claim: Claim, lastId: EntryId, lastN: number, clock = ""): Promise<Checked> {
    const args = [claim.incarnation, lastId, lastN, claim.epoch, clock];
    const reply = await this.redis.call("check", [metaKey(claim.shard)], args);
    const [word, waits = []] = reply as [Checked["word"], ("gaps" | "holds" | "fx")[]?];
    return { word, waits: new Set(waits) };
  }

  /** Reports to Redis that the ledger has committed up to this entry. */
  async recorded(
    claim: Claim,
    lastId: EntryId,
    lastN: number,
  ): Promise<"recorded" | "lost" | Refusal> {
    return this.word("recorded", claim.shard, [claim.incarnation, lastId, lastN, STOCK_PREFIX]);
  }

  /**
   * Deletes what the shard keeps for a retired sale's users. `not_yet`: Redis still has the sale's
   * stock.
   */
  async retire(claim: Claim, saleId: string): Promise<"retired" | "not_yet" | Refusal> {
    const keys = [metaKey(claim.shard), RETIRED_KEY];
    const args = [claim.incarnation, claim.epoch, saleId];
    const [word] = (await this.redis.call("retire", keys, args)) as ["retired"];
    return word;
  }

  async halt(shard: number, reason: string): Promise<void> {
    await this.word("halt", shard, [reason]);
  }

  /** At most `limit` entries after number `afterN`, oldest first. */
  async outbox(shard: number, afterN: number, limit: number): Promise<Entry[]> {
    const raw = await this.redis.run((client) =>
      client.xrange(outboxKey(shard), `${afterN + 1}-0`, "+", "COUNT", limit),
    );
    return raw.map(([streamId, fields]) => entryFromStream(shard, streamId, fields));
  }

  async outboxLength(shard: number): Promise<number> {
    return this.redis.run((client) => client.xlen(outboxKey(shard)));
  }

  /**
   * How many users wait for a number, how many orders wait for a number or a rate, and the most
   * that one user has parked.
   */
  async parked(shard: number): Promise<{ users: number; orders: number; most: number }> {
    const counts = (await this.redis.run((client) => client.hvals(`{${shard}}:waiting`))).map(
      Number,
    );
    const rateWaits = await this.redis.run((client) => client.llen(`{${shard}}:fx`));
    return {
      users: counts.length,
      orders: counts.reduce((a, b) => a + b, rateWaits),
      most: Math.max(0, ...counts),
    };
  }

  /** The next number of each user whose later orders wait for it. */
  async missingNumbers(shard: number): Promise<MissingNumber[]> {
    const prefix = shardPrefix(shard);
    return this.redis.run(async (client) => {
      const waiting = Object.entries(await client.hgetall(`${prefix}waiting`));
      return Promise.all(
        waiting.map(async ([name, parked]) => {
          const [saleId = "", user = ""] = name.split(" ");
          const next = await client.hget(`${prefix}next:${saleId}`, user);
          return { saleId, user, seq: Number(next ?? 1), parked: Number(parked) };
        }),
      );
    });
  }

  /** Decides what is due on this shard without a message. */
  private async sweep(
    fn: "unpark" | "expire" | "reprice",
    claim: Claim,
    options: SweepOptions,
  ): Promise<(Decision & { readonly rest: readonly unknown[] }) | { word: Refusal }> {
    const { entryId, dedupWindowMs, cutoffMs, limit, clock = "", tip = "" } = options;
    const { incarnation, epoch } = claim;
    const window = [dedupWindowMs, cutoffMs, limit, clock, tip];
    const args = [incarnation, epoch, entryId, STOCK_PREFIX, ...window];
    const reply = await this.call(fn, claim, args);
    if (reply.word !== "decided") return { word: reply.word };
    const entry = entryOf(claim.shard, fn, entryId, reply, []);
    return { word: "decided", prev: reply.prev, outcomes: [], entry, rest: reply.rest };
  }

  private async call(
    fn: Entry["kind"],
    claim: Claim,
    args: (string | number)[],
  ): Promise<DecidedReply | { readonly word: Refusal }> {
    const reply = await this.redis.call(fn, [metaKey(claim.shard)], args);
    const [word, n, prev, time, released, steps, ...rest] = reply as string[];
    if (word !== "decided") return { word: word as Refusal };
    return { word, n, prev, time, released, steps, rest } as DecidedReply;
  }

  private async word<W extends string>(
    fn: "own" | "recorded" | "halt",
    shard: number,
    args: (string | number)[],
  ): Promise<W> {
    const [word] = (await this.redis.call(fn, [metaKey(shard)], args)) as [W];
    return word;
  }
}

/** The reply of a function that has decided (core/lua/decide.lua). */
interface DecidedReply {
  readonly word: "decided";
  /** "" if nothing changed. */
  readonly n: number | "";
  readonly prev: EntryId;
  readonly time: string;
  /** JSON. */
  readonly released: string;
  readonly steps: string;
  /** decide: the outcomes of each message; reprice: the pairs, JSON. */
  readonly rest: readonly string[];
}

/** The messages that the entry holds: only those that changed something. */
function decidedMessages(
  messages: readonly ShardMessage[],
  outcomes: readonly string[],
): DecidedMessage[] {
  const decided: DecidedMessage[] = [];
  for (let i = 0; i < messages.length; i++) {
    const { gateway, batch, body } = messages[i] as ShardMessage;
    const words = outcomes[i] as string;
    if (hasNews(words)) decided.push({ gateway, batch, body, outcomes: words });
  }
  return decided;
}

/** Mirrors decide.lua: everything except known (=), refused (-), past and skip_late is recorded. */
function hasNews(outcomes: string): boolean {
  for (const word of splitWords(outcomes)) {
    const mark = word.charCodeAt(0);
    if (mark !== 0x3d && mark !== 0x2d && word !== "past" && word !== "skip_late") return true;
  }
  return false;
}

function entryOf(
  shard: number,
  kind: Entry["kind"],
  id: EntryId,
  reply: DecidedReply,
  messages: readonly DecidedMessage[],
): Entry | undefined {
  if (reply.n === "") return undefined;
  return {
    shard,
    id,
    prev: reply.prev,
    n: reply.n,
    kind,
    atMs: Number(reply.time),
    messages,
    released: readReleased(reply.released),
    steps: readSteps(reply.steps),
  };
}

/** Values of an entry itself, and of each of its messages. */
const ENTRY_FIELDS = 6;
const MESSAGE_FIELDS = 4;

/** Reads the fields in the order in which outbox.lua writes them. */
function entryFromStream(shard: number, streamId: string, fields: string[]): Entry {
  const values = fields.filter((_, i) => i % 2 === 1);
  const [id = "", prev = "", kind, time, released, steps] = values;
  const place = { shard, id, prev, n: Number(streamId.split("-")[0]), kind: kind as Entry["kind"] };
  const atMs = Number(time);
  const own = values.slice(ENTRY_FIELDS);
  const lists = listsIn(released, steps);
  const whole = fields.length % 2 === 0 && own.length % MESSAGE_FIELDS === 0;
  if (!lists || !Number.isSafeInteger(atMs) || !whole) {
    const unreadable = JSON.stringify(fields);
    return { ...place, atMs: 0, messages: [], released: [], steps: [], unreadable };
  }
  return { ...place, atMs, messages: messagesIn(own), ...lists };
}

function messagesIn(values: readonly string[]): DecidedMessage[] {
  const messages: DecidedMessage[] = [];
  for (let at = 0; at < values.length; at += MESSAGE_FIELDS) {
    const [gateway = "", batch = "", body = "", outcomes = ""] = values.slice(at);
    messages.push({ gateway, batch, body, outcomes });
  }
  return messages;
}

function listsIn(released = "", steps = ""): Pick<Entry, "released" | "steps"> | undefined {
  try {
    return { released: readReleased(released), steps: readSteps(steps) };
  } catch {
    return undefined;
  }
}
