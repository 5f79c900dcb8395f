// Redis and the ledger as a real worker reaches them in a trace: the calls that are steps of the
// protocol wait at the gate. Leases and announced rebuilds only save work, and the specification
// has neither, so the worker is told about them whatever the trace needs.
import { OWNERS_KEY, REBUILD_KEY } from "../../../core/stores/keys.ts";
import { buildLibrary } from "../../../core/stores/library.ts";
import type { RedisStore } from "../../../core/stores/redis.ts";
import { LedgerUnavailable } from "../../../ledger/db.ts";
import type { OpenLedger } from "../../simulate/outside.ts";
import type { Gate } from "./gate.ts";

type Client = RedisStore["client"];
type Argument = string | number | Buffer;

/** The worker that calls. */
export interface Caller {
  readonly gate: Gate;
  readonly process: string;
  /** The answer to a heartbeat with these arguments. */
  readonly beat: (args: readonly Argument[]) => unknown;
  /** Whether a check tells that gaps wait. It never tells of holds and rates. */
  readonly sweepsGaps: () => boolean;
  /** Whether a look at the ledger's positions has no answer now. */
  readonly looksLost: () => boolean;
}

export const LIBRARY = buildLibrary();
const FUNCTIONS = new Map(Object.entries(LIBRARY.fcall).map(([fn, name]) => [name, fn]));
const STEPS = new Set(
  ["own", "check", "decide", "unpark", "recorded", "reset", "restore"].concat(["ready"]),
);
/** The answers about leases and announcements. */
const HINTS: Readonly<Record<string, unknown>> = {
  ...{ claim: ["claimed"], let_go: ["gone"], announce: ["announced"], retract: ["retracted"] },
};

export function gatedRedis(client: Client, caller: Caller): Client {
  const { gate, process } = caller;
  const hold = <T>(what: string, shard: number, args: readonly unknown[], run: () => Promise<T>) =>
    gate.call({ process, what, shard, args }, run);
  const own: Record<string, unknown> = {
    fcall: (name: string, count: number, ...rest: Argument[]) => {
      const fn = FUNCTIONS.get(name) ?? name;
      const args = rest.slice(count);
      if (fn === "beat") return Promise.resolve(caller.beat(args));
      if (fn in HINTS) return Promise.resolve(HINTS[fn]);
      const run = () => client.fcall(name, count, ...rest);
      if (!STEPS.has(fn)) return run();
      const shard = shardIn(String(rest[0]));
      if (fn !== "check") return hold(fn, shard, args, run);
      return hold(fn, shard, args, async () => told(await run(), caller));
    },
    // A worker that may have to rebuild asks first whether another one does.
    get: (key: string) => {
      if (key !== REBUILD_KEY) return client.get(key);
      return hold("repair", -1, [], async () => null);
    },
    pttl: (key: string) => (key === REBUILD_KEY ? Promise.resolve(-2) : client.pttl(key)),
    xrange: (key: string, ...rest: [string, string, "COUNT", number]) =>
      hold("outbox", shardIn(key), [], () => client.xrange(key, ...rest)),
    scan: (...rest: ["0", "MATCH", string, "COUNT", number]) =>
      hold("scan", -1, rest, () => client.scan(...rest)),
  };
  return over(client, own);
}

/** A check's answer without what the trace does not sweep. */
function told(reply: unknown, { sweepsGaps }: Caller): unknown {
  const [word, waits = []] = reply as [string, string[]?];
  return [word, waits.filter((what) => what === "gaps" && sweepsGaps())];
}

export function gatedLedger({ ledger, writer, db }: OpenLedger, caller: Caller): OpenLedger {
  const { gate, process } = caller;
  const hold = <T>(what: string, shard: number, args: readonly unknown[], run: () => Promise<T>) =>
    gate.call({ process, what, shard, args }, run);
  const reads: Partial<typeof ledger> = {
    followUps: (shard, ...rest) =>
      hold("followUps", shard, [], () => ledger.followUps(shard, ...rest)),
    positions: () =>
      caller.looksLost()
        ? Promise.reject(new LedgerUnavailable("the look has no answer"))
        : ledger.positions(),
  };
  const writes: Partial<typeof writer> = {
    takeShard: (shard, owner) => hold("takeShard", shard, [], () => writer.takeShard(shard, owner)),
    record: (entries) => hold("record", -1, [entries], () => writer.record(entries)),
    beginRebuild: (from) => hold("beginRebuild", -1, [], () => writer.beginRebuild(from)),
    followUpsDone: (ids) => hold("followUpsDone", -1, [], () => writer.followUpsDone(ids)),
  };
  return { db, ledger: over(ledger, reads), writer: over(writer, writes) };
}

/** The same object, with some of its members replaced. */
function over<T extends object>(target: T, own: { readonly [name: string]: unknown }): T {
  return new Proxy(target, {
    get: (of, name) => {
      if (typeof name === "string" && name in own) return own[name];
      const member: unknown = Reflect.get(of, name);
      return typeof member === "function" ? member.bind(of) : member;
    },
  });
}

function shardIn(key: string): number {
  if (key === OWNERS_KEY) return -1;
  return Number(/^\{(\d+)\}/.exec(key)?.[1] ?? -1);
}
