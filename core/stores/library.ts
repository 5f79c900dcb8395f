// Builds the library of Redis functions from core/lua. Function names must be unique across all
// libraries in Redis, so the library and its functions carry a hash of the text. Two versions can
// then run side by side during an upgrade.
import announce from "../lua/announce.lua" with { type: "text" };
import check from "../lua/check.lua" with { type: "text" };
import decide from "../lua/decide.lua" with { type: "text" };
import expire from "../lua/expire.lua" with { type: "text" };
import halt from "../lua/halt.lua" with { type: "text" };
import members from "../lua/members.lua" with { type: "text" };
import own from "../lua/own.lua" with { type: "text" };
import recorded from "../lua/recorded.lua" with { type: "text" };
import reprice from "../lua/reprice.lua" with { type: "text" };
import reset from "../lua/reset.lua" with { type: "text" };
import restore from "../lua/restore.lua" with { type: "text" };
import retire from "../lua/retire.lua" with { type: "text" };
import set_rates from "../lua/set_rates.lua" with { type: "text" };
import settle_rate from "../lua/settle_rate.lua" with { type: "text" };
import batch from "../lua/shared/batch.lua" with { type: "text" };
import bought from "../lua/shared/bought.lua" with { type: "text" };
import checks from "../lua/shared/checks.lua" with { type: "text" };
import fulfil from "../lua/shared/fulfil.lua" with { type: "text" };
import judge from "../lua/shared/judge.lua" with { type: "text" };
import lanes from "../lua/shared/lanes.lua" with { type: "text" };
import marks from "../lua/shared/marks.lua" with { type: "text" };
import message from "../lua/shared/message.lua" with { type: "text" };
import open from "../lua/shared/open.lua" with { type: "text" };
import outbox from "../lua/shared/outbox.lua" with { type: "text" };
import parking from "../lua/shared/parking.lua" with { type: "text" };
import rate_waits from "../lua/shared/rate_waits.lua" with { type: "text" };
import rates from "../lua/shared/rates.lua" with { type: "text" };
import redrive from "../lua/shared/redrive.lua" with { type: "text" };
import seen from "../lua/shared/seen.lua" with { type: "text" };
import settle from "../lua/shared/settle.lua" with { type: "text" };
import shard from "../lua/shared/shard.lua" with { type: "text" };
import stock from "../lua/shared/stock.lua" with { type: "text" };
import sync_sale from "../lua/sync_sale.lua" with { type: "text" };
import unpark from "../lua/unpark.lua" with { type: "text" };
import { tablesInLua } from "./tables-in-lua.ts";

/** The functions that the Lua files register. */
export const FUNCTIONS = [
  "decide",
  "unpark",
  "expire",
  "reprice",
  "set_rates",
  "settle_rate",
  "own",
  "check",
  "recorded",
  "sync_sale",
  "reset",
  "restore",
  "ready",
  "retire",
  "retire_stock",
  "announce",
  "retract",
  "halt",
  "beat",
  "claim",
  "let_go",
] as const;
export type FunctionName = (typeof FUNCTIONS)[number];

/** The tables, then the shared functions in order of dependency, then the registered ones. */
const PARTS = [
  tablesInLua(),
  ...[
    shard,
    checks,
    message,
    outbox,
    seen,
    stock,
    bought,
    parking,
    rates,
    rate_waits,
    lanes,
    judge,
    marks,
    open,
    settle,
    fulfil,
    redrive,
    batch,
  ],
  ...[
    decide,
    unpark,
    expire,
    reprice,
    set_rates,
    settle_rate,
    own,
    check,
    recorded,
    sync_sale,
    reset,
    restore,
    retire,
    announce,
    halt,
    members,
    // Each in a block of its own, because Lua allows only 200 local names in one.
  ].map((text) => `do\n${text}end\n`),
];

export interface Library {
  readonly name: string;
  /** What FUNCTION LOAD takes. */
  readonly text: string;
  /** The name to FCALL a function by. */
  readonly fcall: Readonly<Record<FunctionName, string>>;
}

/**
 * Builds the library. `patch` rewrites the source: tests remove single checks with it to see that
 * `verify` then fails.
 */
export function buildLibrary(patch: (source: string) => string = (source) => source): Library {
  const source = patch(PARTS.join("\n"));
  const version = Bun.hash.xxHash32(source).toString(16).padStart(8, "0");
  const name = `sluice_${version}`;
  const body = source.replace(
    /redis\.register_function\('(\w+)'/g,
    (_, fn: string) => `redis.register_function('${fn}_${version}'`,
  );
  const fcall = Object.fromEntries(FUNCTIONS.map((fn) => [fn, `${fn}_${version}`])) as Record<
    FunctionName,
    string
  >;
  return { name, text: `#!lua name=${name}\n${body}`, fcall };
}
