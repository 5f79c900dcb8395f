// The answer to a worker's heartbeat, by which it should hold exactly the shards that the trace
// gives it. The protocol does not rest on leases: any worker may take any shard at any moment.
import { fairShares } from "../../../core/stores/members.ts";
import { SHARDS } from "../stores.ts";

const RUNS = "{}";
const PAUSED = JSON.stringify({ governor: { state: "paused" } });

/** As core/lua/members.lua answers: the time, who runs, who holds what, who has paused it. */
export function beatAnswer(id: string, wanted: ReadonlySet<number>, nowMs: number): unknown {
  const own = wanted.size === 0 ? PAUSED : RUNS;
  const others = wanted.size === SHARDS.length ? [] : [peerOf(id, wanted), RUNS];
  const held = [...wanted].flatMap((shard) => [String(shard), id]);
  return [String(Math.floor(nowMs)), [id, own, ...others], held, ""];
}

/** Beside a worker of this name, it holds these shards. */
function peerOf(id: string, wanted: ReadonlySet<number>): string {
  if (wanted.size === 0) return "peer";
  for (let i = 0; ; i++) {
    const shares = fairShares(SHARDS.length, [id, `peer-${i}`]);
    if (SHARDS.every((shard) => (shares[shard] === id) === wanted.has(shard))) return `peer-${i}`;
  }
}
