// The findings about dead letters, and about paid parts that nobody ships.
import type { FindingCode } from "./finding.ts";
import { ageWords, countWords } from "./finding-words.ts";
import type { DeadCount } from "./report.ts";
import type { Facts, Seen } from "./seen.ts";

const UNROUTED = "fulfilment.unrouted";
/** A count of dead letters that is older than this says so. */
const OLD_COUNT_MS = 10_000;

export function letters({ dead, atMs }: Facts): Seen[] {
  return dead
    .filter(({ messages }) => messages > 0)
    .flatMap((count) => {
      const { queue, region, messages, sinceMs = null } = count;
      const seen = (code: FindingCode, what: string, next?: string): Seen => ({
        ...{ code, subject: `${queue} ${region}`, sinceMs },
        what: `${what}${countAge(count, atMs)}`,
        ...(next === undefined ? {} : { next }),
      });
      if (queue === UNROUTED) return parts(count, seen);
      return [
        seen("dead_letters", `${countWords(messages, "dead letter")} in ${queue} of ${region}`),
      ];
    });
}

/** Those that wait for a route leave once there is one; those that a service gave up do not. */
function parts(
  { region, messages, givenUp }: DeadCount,
  seen: (code: FindingCode, what: string, next?: string) => Seen,
): Seen[] {
  const waiting = messages - (givenUp ?? 0);
  const found: Seen[] = [];
  if (givenUp === undefined) return [seen("unrouted_parts", unknownParts(messages, region), LOOK)];
  if (givenUp > 0)
    found.push(
      seen("given_up_parts", `a service gave up ${countWords(givenUp, "paid part")} in ${region}`),
    );
  if (waiting > 0)
    found.push(
      seen("unrouted_parts", `${countWords(waiting, "paid part")} without a route in ${region}`),
    );
  return found;
}

const unknownParts = (messages: number, region: string) =>
  `${countWords(messages, "paid part")} without a route, or given up by a service, in ${region}`;
const LOOK =
  "'sluice dead --queue fulfilment.unrouted' lists them; those without a route leave once there " +
  "is one ('sluice routes set CATEGORY SERVICE'), the others wait for a redrive";

function countAge({ atMs: countedMs }: DeadCount, atMs: number): string {
  if (countedMs === undefined || atMs - countedMs < OLD_COUNT_MS) return "";
  return `, counted ${ageWords(atMs - countedMs)} ago`;
}
