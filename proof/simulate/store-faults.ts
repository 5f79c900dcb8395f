// Faults of the stores and the brokers of a simulated world.
import { serviceQueueName } from "../../broker/topology.ts";
import type { BrokerFault, LedgerFault, RedisFault } from "./fault-kinds.ts";
import type { Undo } from "./faults.ts";
import type { Moments } from "./moments.ts";
import { pick } from "./process-faults.ts";
import type { Fault } from "./schedule.ts";
import type { SimulatedWorld } from "./simulated-world.ts";
import { SERVICES, type System } from "./system.ts";
import { type BrokerTrouble, CALM } from "./world/broker.ts";
import { NO_TROUBLE, type Trouble } from "./world/link.ts";
import { REFUSALS } from "./world/redis.ts";

const NOTHING: Undo = () => undefined;
/** How likely a confirm or an answer is lost while such a fault lasts. */
const LOST = 0.3;
const SLOW = 0.3;
/** The longest way to Redis, and of a commit, while they crawl. */
const CRAWL_REDIS_MS = 250;
const CRAWL_LEDGER_MS = 700;
/** The same for one worker: long enough that the others decide and record meanwhile. */
const CRAWL_ONE_MS = 1_000;
/** How far Redis's clock jumps at most. */
const JUMP_MS = 30_000;

export function brokerFault(
  { parts }: SimulatedWorld,
  system: System,
  kind: BrokerFault,
  fault: Fault,
  process?: string,
): Undo | undefined {
  const broker = pick(parts.brokers, fault);
  const troubled = (trouble: Partial<BrokerTrouble>): Undo => {
    broker.trouble = { ...CALM, ...trouble };
    return () => {
      broker.trouble = CALM;
    };
  };
  switch (kind) {
    case "broker_crash":
      broker.crash();
      return () => broker.start();
    case "broker_cut":
      broker.cut();
      return () => broker.heal();
    case "broker_cut_one": {
      const name = process ?? pick(system.slots, fault).process?.name;
      if (name === undefined) return undefined;
      broker.cut(name);
      return () => broker.heal(name);
    }
    case "broker_reset":
      for (const one of process === undefined ? [broker] : parts.brokers) one.reset(process);
      return NOTHING;
    case "broker_alarm":
      broker.alarm("low on memory");
      return () => broker.endAlarm();
    case "confirms_lost":
      return troubled({ confirmLost: LOST, publicationLost: LOST / 3, confirmTwice: LOST / 3 });
    case "broker_slow":
      return troubled({ slow: SLOW, late: SLOW, lateMs: 8_000, quickSetup: 0.5 });
    case "publications_lost":
      return troubled({ publicationLost: LOST, confirmLost: LOST / 3 });
    case "queue_refuses": {
      const name = serviceQueueName(pick(SERVICES, fault));
      for (const one of parts.brokers) one.refuse(name, true);
      return () => {
        for (const one of parts.brokers) one.refuse(name, false);
      };
    }
  }
}

export function redisFault(
  world: SimulatedWorld,
  kind: RedisFault,
  fault: Fault,
  moments: Moments,
): Undo | Promise<Undo> {
  const { redis } = world.parts;
  const troubled = (trouble: Partial<Trouble>): Undo => {
    redis.trouble = { ...NO_TROUBLE, ...trouble };
    return () => {
      redis.trouble = NO_TROUBLE;
    };
  };
  switch (kind) {
    case "redis_wipe":
      return redis.wipe().then(() => NOTHING);
    case "redis_rollback":
    case "redis_failover":
      // What it becomes later is what it is now.
      return redis.copy().then((copy) => async () => {
        await redis.become(copy);
        if (kind === "redis_rollback") redis.reset();
      });
    case "lost_while_loading":
      return redis.wipe().then(() => tailLost(world, moments, Math.abs(fault.by)));
    case "redis_away":
      redis.stop();
      return () => redis.start();
    case "redis_silent":
      redis.cut();
      return () => redis.heal();
    case "redis_reset":
      redis.reset();
      return NOTHING;
    case "replies_lost":
      return troubled({ lostAfter: LOST / 3, lostBefore: LOST / 6 });
    case "redis_slow":
      return troubled({ slow: SLOW });
    case "redis_crawls":
      return troubled({ usualMs: CRAWL_REDIS_MS });
    case "redis_refuses":
      redis.refusing = pick(Object.values(REFUSALS), fault);
      return () => {
        redis.refusing = undefined;
      };
    case "functions_lost":
      redis.loseFunctions();
      return NOTHING;
    case "redis_clock":
      redis.jumpClock(fault.by * JUMP_MS);
      return () => redis.jumpClock(-fault.by * JUMP_MS);
  }
}

export function ledgerFault(
  { parts }: SimulatedWorld,
  system: System,
  kind: Exclude<LedgerFault, "ledger_restored">,
  fault: Fault,
  process?: string,
): Undo | undefined {
  const { ledger } = parts;
  const troubled = (trouble: Partial<Trouble>): Undo => {
    const both = { ...NO_TROUBLE, ...trouble };
    ledger.trouble(both, both);
    return () => ledger.trouble(NO_TROUBLE, NO_TROUBLE);
  };
  switch (kind) {
    case "commits_in_doubt":
      return troubled({ lostAfter: LOST, lostBefore: LOST / 3 });
    case "ledger_silent":
      ledger.silence();
      return () => ledger.heal();
    case "ledger_slow":
      return troubled({ slow: SLOW });
    case "ledger_crawls":
      ledger.trouble(NO_TROUBLE, { ...NO_TROUBLE, usualMs: CRAWL_LEDGER_MS });
      return () => ledger.trouble(NO_TROUBLE, NO_TROUBLE);
    case "ledger_crawls_one": {
      const name = process ?? pick(system.of("worker"), fault).process?.name;
      if (name === undefined) return undefined;
      ledger.troubleOne(name, { ...NO_TROUBLE, usualMs: CRAWL_ONE_MS });
      return () => ledger.troubleOne(name, undefined);
    }
  }
}

/** Of how many pieces that are loaded one is picked, and how long a load takes, ms. */
const PIECES = 16;
const LOAD_MS = 40;

/**
 * The next rebuild loses its tail: after one of the pieces that it loads, which `luck` in [0, 1)
 * picks, its content is soon what it is now.
 */
function tailLost({ parts, scheduler }: SimulatedWorld, moments: Moments, luck: number): Undo {
  const { redis } = parts;
  const copy = async () => {
    const earlier = await redis.copy();
    const lose = () => redis.become(earlier);
    scheduler.event("Redis loses its tail", lose, scheduler.random() * LOAD_MS);
  };
  const copied = () => scheduler.event("Redis is copied", copy);
  return moments.next("loading", Math.ceil(luck * PIECES), copied);
}
