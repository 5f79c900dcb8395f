// What is known to be over. What an overview does not name may only be out of sight: its source
// does not answer, or nobody has counted it yet. Unknown changes nothing (timeline-state.ts).
import type { FindingCode } from "./finding.ts";
import type { Overview } from "./overview.ts";
import type { WorkerReport } from "./report.ts";

/** Whether a name of a TimelineState that is missing is over. */
export function endsNow(name: string, overview: Overview): boolean {
  const { unasked } = overview;
  switch (name.slice(0, name.indexOf(" "))) {
    case "shard":
      return false;
    case "sale":
      return !unasked.includes("ledger");
    case "finding":
      if (!isKnown(name.split(" ")[1] as FindingCode, overview)) return false;
      if (name.startsWith("finding redis_away")) return !unasked.includes("redis");
      if (name.startsWith("finding ledger_away")) return !unasked.includes("ledger");
      return !unasked.includes("redis") && !unasked.includes("ledger");
    default:
      return !unasked.includes("redis");
  }
}

/**
 * Some parts are unknown to a gateway that has just started; others are counted by a worker, or
 * lie in a broker that does not answer.
 */
function isKnown(code: FindingCode, { asOf, roles, unasked }: Overview): boolean {
  const counted = (is: (worker: WorkerReport) => boolean) =>
    roles.some((role) => role.kind === "worker" && is(role));
  const brokersAnswer = !unasked.some((source) => source.startsWith("broker "));
  switch (code) {
    case "dead_letters":
    case "given_up_parts":
    case "unrouted_parts":
      return asOf.dead !== null;
    case "money_owed":
      return counted(({ owed }) => owed !== undefined);
    case "orders_wait":
      return brokersAnswer && counted(() => true);
    case "broker_away":
      return counted(() => true);
    case "redis_memory":
      return asOf.memory !== null;
    case "rates_stale":
    case "rates_held":
      return asOf.rates !== null;
    case "halted":
      return asOf.halt !== null;
    case "no_route":
      return asOf.routes !== null;
    case "no_consumer":
      return asOf.routes !== null && brokersAnswer && counted((w) => w.services !== undefined);
    case "webhooks_paused":
    case "no_sender":
      return asOf.webhooks !== null;
    default:
      return true;
  }
}
