// What a seed concentrates on. A profile is a small, short sale with faults of one kind, placed at
// the moments when they hurt. Without one, everything may happen at any time (schedule.ts).
import type { Misbehaviour, Shares } from "../../stubs/provider/behaviour.ts";
import { FAULTS, type FaultKind } from "./fault-kinds.ts";
import type { Moment } from "./moments.ts";
import { MOODS } from "./provider.ts";
import type { Fault, Shape } from "./schedule.ts";

export type Range = readonly [least: number, most: number];

/** How long a fault lasts, and how long after its burst it begins. */
interface Lasting {
  readonly kind: FaultKind;
  readonly forMs: Range;
  readonly afterMs: Range;
}

/** Faults that belong together: they begin at the same moment, or else at the same time. */
interface Burst {
  readonly at?: Moment;
  /** How many times the moment may pass before it counts. */
  readonly nth?: number;
  /** A kind without times lasts as its traits say. */
  readonly faults: readonly (FaultKind | Lasting)[];
  /** Waits for a moment of its own, from when this burst waits for its moment. */
  readonly next?: Burst;
}

export interface Profile {
  readonly weight: number;
  readonly shape: Readonly<Record<keyof Shape, Range>>;
  readonly rushMs: number;
  /** Orders come, and bursts begin, within these; default: the rush, and nine tenths of it. */
  readonly ordersMs?: number;
  readonly faultsMs?: number;
  readonly orders: Range;
  readonly users: number;
  /** Units of each item. */
  readonly stock: Range;
  /** Share of the orders that are cancelled. */
  readonly cancels: number;
  /** How many bursts there are; each is one of these. */
  readonly count: Range;
  readonly bursts: readonly Burst[];
  /** Bursts that every seed has. */
  readonly always?: readonly Burst[];
  /** Share of the charges that the provider treats badly, each in one of `ways`. */
  readonly moods: { readonly share: number; readonly ways: number };
  /** Only one queue is broken, so all other follow-ups must go on (targets.ts). */
  readonly targets?: true;
}

const lasts = (kind: FaultKind, forMs: Range, afterMs: Range = [0, 0]) => ({
  kind,
  forMs,
  afterMs,
});
const at = (moment: Moment, ...faults: Burst["faults"]): Burst => ({ at: moment, nth: 6, faults });
const anyTime = (...faults: Burst["faults"]): Burst => ({ faults });

const SMALL: Omit<Profile, "weight" | "bursts"> = {
  shape: { shards: [1, 2], gateways: [1, 1], workers: [2, 2], payments: [1, 1], services: [2, 2] },
  ...{ rushMs: 4_000, orders: [8, 20], users: 6, stock: [2, 8], cancels: 0.25 },
  ...{ count: [2, 5], moods: { share: 0.1, ways: 3 } },
};

export const PROFILES = {
  /** Shards change hands between any two steps. Nothing is lost. */
  "owners change": {
    ...SMALL,
    ...{ weight: 3, rushMs: 7_000, ordersMs: 3_000, faultsMs: 4_000, orders: [12, 24] },
    bursts: [
      at("deciding", "kill_worker"),
      at("decided", "kill_worker"),
      at("recording", "kill_worker"),
      at("recorded", "kill_worker"),
      at("acknowledging", "kill_worker"),
      at("following", "kill_worker"),
      at("deciding", lasts("freeze_worker", [3_500, 7_000])),
      at("decided", lasts("freeze_worker", [3_500, 7_000])),
      at("recorded", lasts("freeze_worker", [3_500, 7_000])),
      at("decided", "stop_worker"),
      at("decided", lasts("ledger_silent", [500, 4_000])),
    ],
  },
  /** A worker and what Redis knew end together, or Redis becomes what it was a moment ago. */
  "Redis forgets": {
    ...SMALL,
    ...{ weight: 3, count: [1, 3], rushMs: 6_000, ordersMs: 3_000 },
    bursts: [
      at("deciding", "kill_worker", "redis_wipe"),
      at("decided", "kill_worker", "redis_wipe"),
      at("recording", "kill_worker", "redis_wipe"),
      at("decided", lasts("redis_failover", [1, 300])),
      at("recorded", lasts("redis_failover", [1, 300])),
      at("acknowledging", lasts("redis_rollback", [1, 300])),
      // Decided and not recorded for a while; then nobody but the broker knows of it.
      at(
        "decided",
        lasts("ledger_silent", [1_000, 3_000]),
        lasts("kill_worker", [20, 2_000], [50, 500]),
        lasts("redis_wipe", [1, 1], [50, 500]),
      ),
      at("decided", "kill_worker", lasts("redis_rollback", [1, 50])),
      anyTime("redis_wipe"),
      anyTime(lasts("redis_rollback", [20, 1_500])),
    ],
  },
  /** Rebuilds lose what they load, stop in the middle, and overtake one another. */
  "Redis suffers while it is loaded": {
    ...SMALL,
    ...{ weight: 3, count: [3, 6] },
    bursts: [
      anyTime("redis_wipe"),
      anyTime("redis_wipe", "kill_worker"),
      { at: "loading", nth: 20, faults: [lasts("redis_failover", [0, 15])] },
      { at: "loading", nth: 20, faults: [lasts("redis_failover", [0, 15])] },
      { at: "loading", nth: 12, faults: ["kill_worker"] },
      { at: "loading", nth: 12, faults: [lasts("freeze_worker", [5_200, 7_000])] },
      { at: "loading", nth: 12, faults: [lasts("redis_slow", [300, 2_000])] },
    ],
  },
  /** One rebuild loses a few of the pieces that it has loaded, while lanes and numbers wait. */
  "a load loses its tail": {
    ...SMALL,
    ...{ weight: 3, count: [1, 1], users: 5, orders: [14, 24], stock: [6, 12] },
    ...{ rushMs: 6_000, ordersMs: 4_000, moods: { share: 0.5, ways: 3 } },
    bursts: [
      {
        faults: ["redis_wipe"],
        next: { at: "loading", nth: 20, faults: [lasts("redis_failover", [0, 5])] },
      },
    ],
  },
  /** A rebuilder stalls until another one is at work, which is slow. */
  "a rebuilder stands still": {
    ...SMALL,
    shape: { ...SMALL.shape, workers: [3, 3] },
    ...{ weight: 1, rushMs: 16_000, ordersMs: 3_000, faultsMs: 2_500, count: [1, 1] },
    bursts: [
      {
        faults: ["redis_wipe", lasts("redis_crawls", [14_000, 15_000])],
        next: { at: "loading", nth: 8, faults: [lasts("freeze_worker", [5_500, 9_000])] },
      },
    ],
  },
  /** Brokers lose confirms, and connections break between a publication and its confirm. */
  "confirms are lost": {
    ...SMALL,
    ...{ weight: 3, count: [3, 6], orders: [12, 24] },
    bursts: [
      anyTime(lasts("confirms_lost", [1_500, 4_000])),
      anyTime(lasts("publications_lost", [1_500, 4_000])),
      at("answering", "kill_payments", lasts("publications_lost", [500, 2_000])),
      at("ordering", "broker_reset"),
      at("ordering", "broker_crash"),
      at("following", "broker_reset"),
      at("following", "broker_crash"),
      at("answering", "broker_reset"),
      at("answering", "broker_crash"),
      at("claiming", "broker_reset"),
      at("acknowledging", "broker_reset"),
    ],
  },
  /** For longer than an answer may wait, no broker accepts anything. */
  "brokers take nothing": {
    ...SMALL,
    ...{ weight: 1, count: [1, 1], rushMs: 72_000, ordersMs: 2_000, faultsMs: 1_500 },
    moods: { share: 0.6, ways: 3 },
    bursts: [
      at(
        "charged",
        lasts("broker_alarm", [64_000, 66_000]),
        lasts("broker_alarm", [64_000, 66_000]),
      ),
    ],
  },
  /** The provider answers as it should not, and operators ask again. */
  "the provider lies": {
    ...SMALL,
    ...{ weight: 3, rushMs: 11_000, ordersMs: 3_000, faultsMs: 6_000, count: [3, 5] },
    moods: { share: 0.8, ways: 3 },
    bursts: [
      anyTime("ask_again"),
      anyTime("ask_again"),
      anyTime("redrive"),
      anyTime(
        lasts("provider_outage", [2_000, 9_000]),
        lasts("ask_again", [50, 4_000], [1_000, 6_000]),
      ),
      anyTime(
        lasts("provider_unreachable", [2_000, 9_000]),
        lasts("ask_again", [50, 4_000], [1_000, 6_000]),
      ),
      at("charged", "kill_payments"),
      at("answering", "kill_payments"),
      at("charged", "freeze_payments"),
    ],
  },
  /** Services end between their question and its answer, while orders are cancelled. */
  "services crash": {
    ...SMALL,
    ...{ weight: 2, cancels: 0.7, stock: [6, 12], moods: { share: 0, ways: 1 } },
    shape: { ...SMALL.shape, services: [2, 4] },
    count: [4, 8],
    bursts: [
      at("claiming", lasts("kill_service", [1, 60])),
      at("claiming", lasts("kill_service", [1, 60]), lasts("ledger_slow", [500, 2_000])),
      at("claiming", lasts("kill_service", [1, 60]), lasts("redis_slow", [500, 2_000])),
      at("claiming", lasts("kill_service", [1, 60]), lasts("ledger_crawls", [1_000, 3_000])),
      at("claiming", "freeze_service"),
      at("decided", "kill_worker"),
    ],
  },
  /** A service starts again before its last question is answered, and asks about another order. */
  "answers come after a restart": {
    ...SMALL,
    ...{ weight: 1, cancels: 0.8, stock: [8, 16], moods: { share: 0, ways: 1 } },
    shape: { ...SMALL.shape, services: [4, 4] },
    ...{ orders: [20, 30], rushMs: 7_000, ordersMs: 3_000, faultsMs: 5_000, count: [5, 8] },
    always: [{ faults: [lasts("ledger_crawls", [7_000, 7_000])] }],
    bursts: [{ at: "claiming", nth: 2, faults: [lasts("kill_service", [1, 40])] }],
  },
  /** Hardly any units, which come back again and again, in several shards. Nothing is lost. */
  "units come back": {
    ...SMALL,
    ...{ weight: 3, cancels: 0.6, stock: [1, 2], orders: [20, 36], users: 10 },
    ...{ rushMs: 5_000, ordersMs: 3_000, shape: { ...SMALL.shape, shards: [2, 3] } },
    bursts: [
      anyTime(lasts("ledger_slow", [1_000, 4_000])),
      anyTime(lasts("ledger_crawls", [1_500, 4_000])),
      anyTime(lasts("ledger_crawls", [1_500, 4_000])),
      anyTime(lasts("commits_in_doubt", [500, 2_000])),
      at("decided", lasts("freeze_worker", [200, 2_500])),
      at("marking", lasts("freeze_worker", [200, 2_500])),
      at("marking", lasts("freeze_worker", [200, 2_500])),
      at("marking", "kill_worker"),
      at("decided", "kill_worker"),
      at("recording", "kill_worker"),
    ],
  },
  /** Units come back while one worker's commits take their time; the others sell them again. */
  "units are sold again": {
    ...SMALL,
    ...{ weight: 1, cancels: 0.7, stock: [1, 2], orders: [30, 44], users: 12 },
    ...{ rushMs: 6_000, ordersMs: 4_500, faultsMs: 2_000, count: [1, 2] },
    shape: { ...SMALL.shape, shards: [2, 3] },
    bursts: [
      at("decided", lasts("ledger_crawls_one", [2_000, 4_000])),
      anyTime(lasts("ledger_crawls_one", [2_000, 4_000])),
    ],
  },
  /** Whatever recovers from a crash crashes again, and what it recovers with is lost meanwhile. */
  "crash after crash": {
    ...SMALL,
    ...{ weight: 18, rushMs: 9_000, orders: [14, 24], count: [60, 84] },
    bursts: [
      at("deciding", lasts("kill_worker", [1, 400])),
      at("decided", lasts("kill_worker", [1, 400])),
      at("decided", lasts("kill_worker", [1, 400]), lasts("broker_crash", [20, 400])),
      at("recording", lasts("kill_worker", [1, 400])),
      at("recorded", lasts("kill_worker", [1, 400]), lasts("redis_failover", [1, 50])),
      at("acknowledging", lasts("kill_worker", [1, 400])),
      at("following", lasts("kill_worker", [1, 400])),
      at("following", lasts("broker_crash", [20, 400])),
      at("ordering", lasts("kill_gateway", [1, 400])),
      at("ordering", lasts("broker_crash", [20, 400])),
      at("charged", lasts("kill_payments", [1, 400])),
      at("answering", lasts("kill_payments", [1, 400])),
      at("claiming", lasts("kill_service", [1, 400])),
      at("loading", lasts("kill_worker", [1, 400])),
      at("loading", lasts("redis_failover", [0, 15])),
      anyTime(lasts("kill_worker", [1, 400]), "redis_wipe"),
      anyTime(lasts("redis_away", [50, 400]), lasts("kill_payments", [1, 400])),
    ],
  },
  /** A service's queue takes nothing, soon after the start; nothing else is wrong. */
  "one target queue is broken": {
    ...SMALL,
    ...{ weight: 1, cancels: 0, stock: [12, 20], orders: [16, 28] },
    ...{ rushMs: 14_000, faultsMs: 1_500, count: [1, 1], moods: { share: 0, ways: 1 } },
    ...{ targets: true, bursts: [{ faults: [lasts("queue_refuses", [7_000, 12_000])] }] },
  },
  /** A backup takes the ledger's place right after a commit, in a rush or behind it. */
  "the ledger goes back": {
    ...SMALL,
    ...{ weight: 1, count: [1, 1], rushMs: 7_000, ordersMs: 4_000, faultsMs: 4_000 },
    bursts: [
      at("recorded", lasts("ledger_restored", [20, 2_500])),
      at("recording", lasts("ledger_restored", [20, 2_500])),
    ],
  },
} as const satisfies Record<string, Profile>;

export type ProfileName = keyof typeof PROFILES;
/** `anything`: no profile. */
export type Scenario = ProfileName | "anything";

export const SCENARIOS: readonly Scenario[] = [
  "anything",
  ...(Object.keys(PROFILES) as ProfileName[]),
];
/** How often a seed has no profile, as a weight. */
const ANYTHING = 6;

/** What a seed concentrates on. */
export function drawScenario(random: () => number): Scenario {
  const weightOf = (name: Scenario) => (name === "anything" ? ANYTHING : PROFILES[name].weight);
  let left = random() * SCENARIOS.reduce((sum, name) => sum + weightOf(name), 0);
  for (const name of SCENARIOS) {
    left -= weightOf(name);
    if (left < 0) return name;
  }
  return "anything";
}

export function drawShares({ moods }: Profile, random: () => number): Shares {
  const shares: Partial<Record<Misbehaviour, number>> = {};
  for (let i = 0; i < moods.ways; i++) {
    const way = MOODS[Math.floor(random() * MOODS.length)] as Misbehaviour;
    shares[way] = (shares[way] ?? 0) + moods.share / moods.ways;
  }
  return shares;
}

/** The bursts of a seed, one after the other. */
export function drawBursts(profile: Profile, random: () => number): Fault[] {
  const { bursts, always = [], rushMs, faultsMs = rushMs * 0.9 } = profile;
  const count = between(profile.count, random);
  const some = Array.from(
    { length: count },
    () => bursts[Math.floor(random() * bursts.length)] as Burst,
  );
  return [...always, ...some].flatMap((burst) => drawBurst(burst, random() * faultsMs, random));
}

function drawBurst(burst: Burst, atMs: number, random: () => number): Fault[] {
  const who = Math.floor(random() * 1_000);
  const by = random() * 2 - 1;
  const nth = 1 + Math.floor(random() * (burst.nth ?? 1));
  const soonMs = burst.at ? random() ** 3 * 10 : 0;
  const faults = burst.faults.map((one, i): Fault => {
    const { kind, forMs, afterMs: later } = lasting(one);
    const [least, most] = forMs;
    const [after, afterMost] = later;
    const afterMs = soonMs + after + random() * (afterMost - after);
    return {
      ...{ kind, who: who + i, by, forMs: least + random() ** 2 * (most - least) },
      ...(burst.at ? { atMs, at: { moment: burst.at, nth, afterMs } } : { atMs: atMs + afterMs }),
    };
  });
  return burst.next ? [...faults, ...drawBurst(burst.next, atMs, random)] : faults;
}

function lasting(one: FaultKind | Lasting): Lasting {
  return typeof one === "string" ? lastingOf(one) : one;
}

function lastingOf(kind: FaultKind): Lasting {
  const { leastMs, mostMs } = FAULTS[kind];
  return lasts(kind, [leastMs, Math.min(mostMs, 4_000)]);
}

export function between([least, most]: Range, random: () => number): number {
  return least + Math.floor(random() * (most - least + 1));
}
