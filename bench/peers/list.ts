// The peers by name. Each is loaded when it runs: its libraries are only there for development.
import type { Peer } from "./peer.ts";

const LOADERS = {
  "postgres-batched": () => import("./rows/postgres-batched.ts"),
  "postgres-each": () => import("./rows/postgres-each.ts"),
  "rabbit-groups": () => import("./rows/rabbit-groups.ts"),
  "redis-streams": () => import("./rows/redis-streams.ts"),
  "pg-boss": () => import("./rows/pg-boss.ts"),
  bullmq: () => import("./rows/bullmq.ts"),
  tutorial: () => import("./rows/tutorial.ts"),
} as const satisfies Record<string, () => Promise<{ peer: Peer }>>;

export type PeerName = keyof typeof LOADERS;

export const PEERS = Object.keys(LOADERS) as PeerName[];
/** The peers that are also measured behind HTTP. */
export const HTTP_PEERS: readonly PeerName[] = ["postgres-batched", "rabbit-groups", "bullmq"];

export async function loadPeer(name: PeerName): Promise<Peer> {
  return (await LOADERS[name]()).peer;
}
