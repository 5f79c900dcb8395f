// What the owner of a shard asks of Redis: the functions of core/lua, typed, their words as closed
// unions.
import type { DecidedMessage, Entry, EntryId, Released, Step } from "../domain/entry.ts";
import { splitWords } from "../domain/words.ts";
import { metaKey, outboxKey, RETIRED_KEY, STOCK_PREFIX } from "./keys.ts";
import type { RedisStore } from "./redis.ts";

/**
 * Why Redis did not serve the owner. `not_ready`: being rebuilt, or another incarnation. `halted`:
 * the ledger went back. `clock`: its clock is not where the owner reckons it.
 */
export type Refusal = "not_ready" | "halted" | "fenced" | "clock";

/** A message on its way to be decided. `body` is the JSON array of rows as published. */
export interface ShardMessage {
  readonly gateway: string;
  readonly batch: string;
  readonly body: string;
}

export interface Decision {
  readonly word: "decided";
  /** One word a row, separated by commas, for each message given. */
  readonly outcomes: readonly string[];
  /** The last entry Redis had when it was asked. */
  readonly prev: EntryId;
  /** undefined: nothing changed, so nothing is to be recorded. */
  readonly entry: Entry | undefined;
}

/**
 * An owner's claim on a shard: what every call carries so that a later owner or a rebuild shuts it
 * out.
 */
export interface Claim {
  readonly shard: number;
  readonly incarnation: number;
  readonly epoch: number;
}

export interface DecideOptions {
  readonly entryId: EntryId;
  readonly dedupWindowMs: number;
  /** Every fresh order gets this state without being judged. */
  readonly force?: "rejected" | "stale";
  readonly stockPrefix?: string;
  /** What Redis's clock may show (SharedClock.bounds); any, if left out. */
  readonly clock?: string;
}

export interface SweepOptions {
  readonly entryId: EntryId;
  /** What began at or before this time, on Redis's clock, is over. */
  readonly cutoffMs: number;
  readonly limit: number;
  readonly dedupWindowMs: number;
  readonly clock?: string;
}

export class ShardStore {
  constructor(private readonly redis: RedisStore) {}

  /** Decides messages of one shard in the order given, in one atomic call. */
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
    ];
    args.push(options.dedupWindowMs, options.force ?? "");
    for (const m of messages) args.push(m.gateway, m.batch, m.body);
    args.push(options.clock ?? "");
    const reply = (await this.redis.call("decide", [metaKey(claim.shard)], args)) as (
      | string
      | number
    )[];
    if (reply[0] !== "decided") return { word: reply[0] as Refusal };
    const outcomes = reply.slice(6) as string[];
    return {
      word: "decided",
      prev: reply[2] as string,
      outcomes,
      entry: entryOf(
        claim.shard,
        "decide",
        options.entryId,
        reply,
        decidedMessages(messages, outcomes),
      ),
    };
  }

  /**
   * Gives up gaps that began at or before `cutoffMs` (Redis's clock), at most `limit` users at
   * once.
   */
  async unpark(claim: Claim, options: SweepOptions): Promise<Decision | { word: Refusal }> {
    const args = [
      claim.incarnation,
      claim.epoch,
      options.entryId,
      STOCK_PREFIX,
      options.dedupWindowMs,
      options.cutoffMs,
      options.limit,
      options.clock ?? "",
    ];
    const reply = (await this.redis.call("unpark", [metaKey(claim.shard)], args)) as (
      | string
      | number
    )[];
    if (reply[0] !== "decided") return { word: reply[0] as Refusal };
    return {
      word: "decided",
      prev: reply[2] as string,
      outcomes: [],
      entry: entryOf(claim.shard, "unpark", options.entryId, reply, []),
    };
  }

  /**
   * Gives up reserved orders whose stock was taken at or before `cutoffMs` and whose charge has not
   * started, at most `limit` at once.
   */
  async expire(claim: Claim, options: SweepOptions): Promise<Decision | { word: Refusal }> {
    const args = [
      claim.incarnation,
      claim.epoch,
      options.entryId,
      STOCK_PREFIX,
      options.dedupWindowMs,
      options.cutoffMs,
      options.limit,
      options.clock ?? "",
    ];
    const reply = (await this.redis.call("expire", [metaKey(claim.shard)], args)) as (
      | string
      | number
    )[];
    if (reply[0] !== "decided") return { word: reply[0] as Refusal };
    return {
      word: "decided",
      prev: reply[2] as string,
      outcomes: [],
      entry: entryOf(claim.shard, "expire", options.entryId, reply, []),
    };
  }

  /**
   * Decides orders that waited for a rate and have one now, or have waited since `cutoffMs` or
   * longer. `pairs`: what is still waited for.
   */
  async reprice(
    claim: Claim,
    options: SweepOptions,
  ): Promise<(Decision & { readonly pairs: readonly string[] }) | { word: Refusal }> {
    const args = [
      claim.incarnation,
      claim.epoch,
      options.entryId,
      STOCK_PREFIX,
      options.dedupWindowMs,
      options.cutoffMs,
      options.limit,
      options.clock ?? "",
    ];
    const reply = (await this.redis.call("reprice", [metaKey(claim.shard)], args)) as (
      | string
      | number
    )[];
    if (reply[0] !== "decided") return { word: reply[0] as Refusal };
    const entry = entryOf(claim.shard, "reprice", options.entryId, reply, []);
    return {
      word: "decided",
      prev: reply[2] as string,
      outcomes: [],
      entry,
      pairs: JSON.parse(reply[6] as string) as string[],
    };
  }

  async own(claim: Claim, storeId: string): Promise<"owned" | "foreign" | Refusal> {
    return this.word("own", claim.shard, [claim.incarnation, claim.epoch, storeId]);
  }

  /** Whether Redis still has what the ledger recorded last. */
  async check(
    claim: Claim,
    lastId: EntryId,
    lastN: number,
  ): Promise<"whole" | "behind" | "lost" | "went_back" | Refusal> {
    return this.word("check", claim.shard, [claim.incarnation, lastId, lastN, claim.epoch]);
  }

  /** Tells Redis that the ledger has committed up to this entry. */
  async recorded(
    claim: Claim,
    lastId: EntryId,
    lastN: number,
  ): Promise<"recorded" | "lost" | Refusal> {
    return this.word("recorded", claim.shard, [claim.incarnation, lastId, lastN, STOCK_PREFIX]);
  }

  /**
   * Forgets what the shard knows of a retired sale's users. `not_yet`: Redis still has the sale's
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

  /** Entries after number `afterN`, oldest first, at most `limit`. */
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
   * How many users wait for a number, how many orders wait in all (for a number or a rate), and the
   * most of one user.
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

  private async word<W extends string>(
    fn: "own" | "check" | "recorded" | "halt",
    shard: number,
    args: (string | number)[],
  ): Promise<W> {
    const reply = (await this.redis.call(fn, [metaKey(shard)], args)) as [W];
    return reply[0];
  }
}

/**
 * The messages as the entry holds them: those with news. Known orders alone leave nothing to
 * record.
 */
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

/** Mirrors decide.lua: anything but known (=), refused (-), past and skip_late is in the entry. */
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
  reply: (string | number)[],
  messages: readonly DecidedMessage[],
): Entry | undefined {
  if (reply[1] === "") return undefined;
  const released = reply[4] === "[]" ? [] : (JSON.parse(reply[4] as string) as Released[]);
  const steps = reply[5] === "[]" ? [] : (JSON.parse(reply[5] as string) as Step[]);
  return {
    shard,
    id,
    prev: reply[2] as string,
    n: Number(reply[1]),
    kind,
    atMs: Number(reply[3]),
    messages,
    released,
    steps,
  };
}

/** Reads the fields in the order outbox.lua writes them. */
function entryFromStream(shard: number, streamId: string, f: string[]): Entry {
  const place = {
    shard,
    id: f[1] ?? "",
    prev: f[3] ?? "",
    n: Number(streamId.split("-")[0]),
    kind: f[5] as Entry["kind"],
    atMs: Number(f[7]),
  };
  const released = listIn(f[9]);
  const steps = listIn(f[11]);
  if (!released || !steps || !Number.isSafeInteger(place.atMs) || f.length % 8 !== 4) {
    const unreadable = JSON.stringify(f);
    return { ...place, atMs: 0, messages: [], released: [], steps: [], unreadable };
  }
  return {
    ...place,
    messages: messagesIn(f),
    released: released as Released[],
    steps: steps as Step[],
  };
}

function messagesIn(f: readonly string[]): DecidedMessage[] {
  const messages: DecidedMessage[] = [];
  for (let i = 12; i < f.length; i += 8) {
    messages.push({
      gateway: f[i + 1] ?? "",
      batch: f[i + 3] ?? "",
      body: f[i + 5] ?? "",
      outcomes: f[i + 7] ?? "",
    });
  }
  return messages;
}

function listIn(text = ""): unknown[] | undefined {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list : undefined;
  } catch {
    return undefined;
  }
}
