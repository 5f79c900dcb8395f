// Puts follow-ups for the same target into common messages: lists of requests are joined, up to as
// many requests as the ledger puts into one. A message has a fixed cost for the broker, the relay
// and the payment workers (docs/decisions/0007-steps-through-the-shard.md).
import type { FollowUp } from "../../ledger/contract.ts";
import { mostRequests } from "../../ledger/request-targets.ts";

/** Follow-ups that share a message. */
export interface Parcel {
  /** At least one, in the order of the ledger. */
  readonly followUps: readonly [FollowUp, ...FollowUp[]];
  readonly body: string;
}

interface Filling {
  readonly followUps: [FollowUp, ...FollowUp[]];
  readonly lists: string[];
  requests: number;
}

/** Each follow-up is in one parcel, and those of a target keep their order. */
export function parcelsOf(open: readonly FollowUp[]): Parcel[] {
  const all: Filling[] = [];
  const last = new Map<string, Filling>();
  for (const followUp of open) {
    const { exchange, routingKey, body } = followUp;
    const target = `${exchange} ${routingKey}`;
    const requests = requestsIn(body);
    const most = mostRequests(exchange, routingKey);
    const filling = last.get(target);
    if (filling && requests > 0 && filling.requests + requests <= most) {
      filling.followUps.push(followUp);
      filling.lists.push(body);
      filling.requests += requests;
      continue;
    }
    // What is not a list of requests has a message of its own.
    const own = requests > 0 ? requests : most;
    const begun: Filling = { followUps: [followUp], lists: [body], requests: own };
    all.push(begun);
    last.set(target, begun);
  }
  return all.map(({ followUps, lists }) => ({ followUps, body: joined(lists) }));
}

/** 0: it is not a list of requests. */
function requestsIn(body: string): number {
  if (!body.startsWith("[{")) return 0;
  try {
    return (JSON.parse(body) as readonly unknown[]).length;
  } catch {
    return 0;
  }
}

function joined(lists: readonly string[]): string {
  if (lists.length === 1) return lists[0] as string;
  return `[${lists.map((list) => list.slice(1, -1)).join(",")}]`;
}
