// What a simulated process reaches of the world outside: stores and brokers, each over connections
// that end with the process.
import type { RegionLink } from "../../consumers/orders/relay.ts";
import type { RedisStore } from "../../core/stores/redis.ts";
import type { Ledger, LedgerWriter } from "../../ledger/contract.ts";
import type { Db } from "../../ledger/db.ts";
import type { SimulatedProcess } from "./process.ts";

export interface LinkOptions {
  /** Heartbeat of the consuming connection, seconds. */
  readonly heartbeatS?: number;
}

export interface OpenLedger {
  readonly ledger: Ledger;
  readonly writer: LedgerWriter;
  /** The database below both, for snapshots. */
  readonly db: Db;
}

export interface Outside {
  readonly shards: number;
  redis(process: SimulatedProcess): Promise<RedisStore>;
  ledger(process: SimulatedProcess): Promise<OpenLedger>;
  /** Connects to the brokers of these regions, the first one being home. */
  links(
    process: SimulatedProcess,
    regions: readonly string[],
    options?: LinkOptions,
  ): Promise<RegionLink[]>;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}
