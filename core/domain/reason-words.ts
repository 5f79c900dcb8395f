// Why a gateway holds orders back, and why a role slows down, in words: for the verdict and for the
// console, whose page loads this file as it is. No imports of code.
import type { AdmissionState, GovernorReport, ShardAdmission } from "./report.ts";

const SIGNALS: Readonly<Record<string, string>> = {
  operator: "by an operator",
  cpu_others_percent: "other programs need the CPU",
  loop_delay_ms: "it runs late",
  redis_ms: "Redis is slow",
  ledger_ms: "the ledger is slow",
  outbox_ms: "entries wait for the ledger",
};

/** What relieves it. The role resumes on its own then. */
const RELIEF: Readonly<Record<string, string>> = {
  cpu_others_percent:
    "stop other programs on its machine, or start it with SLUICE_GOVERNOR_CPU=off",
  loop_delay_ms: "give it more CPU",
  redis_ms: "find out why Redis is slow",
  ledger_ms: "find out why the ledger is slow",
  outbox_ms: "find out why the ledger is slow",
};

/** Why Redis takes no writes: the words of docs/operations.md. */
const REFUSALS: Readonly<Record<string, string>> = {
  full: "it is full",
  read_only: "it is a replica, or a former primary",
  primary_down: "it is a replica whose primary is down",
  loading: "it is loading its file",
  busy: "a script does not end",
  disk_failed: "it cannot write its file",
  no_replicas: "it has too few replicas",
  no_permission: "its user may not",
};

const REASONS: Readonly<Record<string, string>> = {
  wait: "orders would wait too long",
  stalled: "nothing is decided",
  late: "it is short of CPU",
  broker: "no broker takes orders",
  redis_memory: "Redis is nearly full",
  draining: "it is stopping",
};

/** A newer release may have reasons that this one does not know. */
const wordsFor = (known: Readonly<Record<string, string>>) => (reason: string) =>
  known[reason] ?? reason.replaceAll("_", " ");

/** Why a role is slowed or paused; empty: it recovers. */
export function signalWords({ reasons }: Pick<GovernorReport, "reasons">): string[] {
  return reasons.map(wordsFor(SIGNALS));
}

/** What an operator does about it; empty: nothing. */
export function reliefWords({ reasons }: Pick<GovernorReport, "reasons">): string[] {
  return [...new Set(reasons.flatMap((reason) => RELIEF[reason] ?? []))];
}

const REMEDIES: Readonly<Record<string, string>> = {
  full: "give Redis more memory (CONFIG SET maxmemory), or shorten SLUICE_DEDUP_WINDOW",
  read_only: "let SLUICE_REDIS_URL lead to the primary",
  primary_down: "let SLUICE_REDIS_URL lead to the primary",
  loading: "wait: it serves once its file is loaded",
  busy: "end the script: SCRIPT KILL or FUNCTION KILL",
  disk_failed: "make room on its disk or repair it, or switch its snapshots off",
  no_replicas: "bring its replicas back, or lower min-replicas-to-write",
  no_permission: "give its user the rights that it needs",
};

/** Why the ledger does not serve though it answers: the same words, and what is done about it. */
const LEDGER_REFUSALS: Readonly<Record<string, readonly [why: string, next: string]>> = {
  read_only: ["it is read-only", "let it be written, or let SLUICE_LEDGER_URL lead to the primary"],
  restarting: ["it restarts", "wait until it has started"],
  busy: ["it is busy or locked", "end what holds its lock, or wait"],
  full: ["it is out of memory", "give it memory"],
  disk_full: ["its disk is full", "make room on its disk"],
  disk_failed: ["its disk fails", "repair its disk"],
  too_many_clients: ["it has too many clients", "allow more connections, or end some"],
  no_permission: ["its user may not", "give its user the rights that it needs"],
  wrong_password: ["it refuses the password", "correct the password"],
  no_database: ["its database is not there", "bring its database back"],
  damaged: ["it is damaged", "restore it"],
};

export function ledgerRefusal(word: string): { readonly why: string; readonly next: string } {
  const [why = word.replaceAll("_", " "), next = "see the worker's log"] =
    LEDGER_REFUSALS[word] ?? [];
  return { why, next };
}

export const refusalWords = wordsFor(REFUSALS);

/** undefined: nothing in particular. */
export const remedyWords = (refusal: string): string | undefined => REMEDIES[refusal];

/** Why a gateway does not accept all orders. */
export function admissionWords({ reasons }: { readonly reasons: readonly string[] }): string[] {
  return reasons.map(wordsFor(REASONS));
}

/** Reasons that apply to every shard. */
const OF_ALL: ReadonlySet<string> = new Set(["broker", "redis_memory", "draining"]);

/** `all`: the gateway accepts no order; `some`: none of these shards, or not as many as arrive. */
export interface HeldBack {
  readonly orders: "all" | "some" | "none";
  /** Shards that get no order. */
  readonly shards: readonly number[];
}

export function heldBack(gateway: {
  readonly admission: AdmissionState;
  readonly reasons: readonly string[];
  readonly shards: readonly ShardAdmission[];
}): HeldBack {
  const { admission, reasons, shards: all } = gateway;
  if (admission === "open") return { orders: "none", shards: [] };
  // While nothing is decided, orders are accepted up to the limit.
  const stalled = reasons.includes("stalled");
  const shut = all.filter(
    ({ state, pending, limit }) => state === "closed" || (stalled && pending >= limit),
  );
  const none = reasons.some((r) => OF_ALL.has(r)) || (all.length > 0 && shut.length === all.length);
  return { orders: none ? "all" : "some", shards: shut.map(({ shard }) => shard) };
}

/** Requests that are answered 503 and sent again later, by problem code, with the cause. */
const AGAIN_LATER: Readonly<Record<string, string>> = {
  shed: "too many at once",
  unavailable: "a broker or store is away",
  unconfirmed: "a broker did not confirm",
};

type Counts = Readonly<Record<string, number>>;

/** How many were answered 503, for whatever cause. */
export function againLater(refused: Counts): number {
  return Object.keys(AGAIN_LATER).reduce((sum, code) => sum + (refused[code] ?? 0), 0);
}

/** The causes, the most frequent first; empty: none was. */
export function againLaterWords(refused: Counts): string[] {
  return Object.entries(AGAIN_LATER)
    .filter(([code]) => (refused[code] ?? 0) > 0)
    .toSorted(([a], [b]) => (refused[b] ?? 0) - (refused[a] ?? 0))
    .map(([, words]) => words);
}
