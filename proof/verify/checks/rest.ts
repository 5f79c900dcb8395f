// I9 and I11: whether the system is at rest and left behind only what it should. Not being at rest
// is no violation, but then nothing can be concluded yet.
import { countWords } from "../../../core/domain/finding-words.ts";
import { RULES } from "../../../core/domain/limits.ts";
import type { Findings } from "../findings.ts";
import type { Letter } from "./letters.ts";

export interface QueueDepth {
  readonly region: string;
  readonly queue: string;
  /** undefined: the queue does not exist. */
  readonly ready: number | undefined;
  /** Dead letters may stay; all other queues must be empty. */
  readonly dead: boolean;
  /** Letters of a dead-letter queue, if they were read. */
  readonly letters?: readonly Letter[];
}

export interface Rest {
  readonly queues: readonly QueueDepth[];
  readonly shards: readonly {
    readonly shard: number;
    readonly outbox: number;
    readonly parked: number;
    readonly mostParked: number;
  }[];
  readonly followUpsOpen: number;
  /** Charges and refunds whose end is unknown. */
  readonly chargesOpen: number;
  /** Unfinished parts of paid orders that have a service. */
  readonly partsOpen: number;
}

/** Orders that a user may have waiting (design §6). */
const { MAX_PARKED } = RULES;
export const QUEUE_MISSING = "a queue is missing";

export function checkRest(rest: Rest, findings: Findings): void {
  for (const { region, queue, ready, dead } of rest.queues) {
    if (ready === undefined) findings.violation("I9", QUEUE_MISSING, `${queue} in ${region}`);
    else if (!dead && ready > 0)
      findings.waiting(`${countWords(ready, "message")} in ${queue} of ${region}`);
  }
  for (const { shard, outbox, parked, mostParked } of rest.shards) {
    if (outbox > 0)
      findings.waiting(`${countWords(outbox, "entry", "entries")} in the outbox of shard ${shard}`);
    if (parked > 0) findings.waiting(`orders or numbers parked in shard ${shard}: ${parked}`);
    if (mostParked > MAX_PARKED)
      findings.violation(
        "I11",
        `more than ${MAX_PARKED} orders of a user wait`,
        `${mostParked} in shard ${shard}`,
      );
  }
  if (rest.chargesOpen > 0) findings.waiting(`charges or refunds under way: ${rest.chargesOpen}`);
  if (rest.partsOpen > 0) findings.waiting(`parts of paid orders under way: ${rest.partsOpen}`);
  if (rest.followUpsOpen > 0)
    findings.waiting(`${countWords(rest.followUpsOpen, "follow-up")} not yet confirmed`);
}
