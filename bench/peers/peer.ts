// What a peer is: another way to take the orders of a sale, built from what people would choose
// instead of Sluice. Each peer keeps the same rules, which check.ts verifies afterwards:
//
// 1. Every order that was submitted is in a SQL ledger once, with an outcome.
// 2. An order that is submitted again, by its user and id, has no second effect.
// 3. An order is reserved if every line finds stock, and then takes all of it.
// 4. No item is oversold, and stock and ledger add up.

/** The stores that a peer may ask for. */
export type Store = "redis" | "rabbitmq" | "postgres";

export interface Line {
  readonly sku: string;
  readonly qty: number;
}

export interface Order {
  readonly user: string;
  /** A UUID, unique per user. */
  readonly id: string;
  /** Each item once. */
  readonly lines: readonly Line[];
}

export type Outcome = "reserved" | "sold_out";

export interface Item {
  readonly sku: string;
  readonly units: number;
}

/** Where the stores are; empty for those that a peer did not ask for. */
export interface Places {
  readonly redis: string;
  readonly rabbitmq: string;
  readonly postgres: string;
  /** File of the SQLite ledger, for peers that have no Postgres. */
  readonly sqlite: string;
}

/** Receives the number of orders that were just written to the ledger for the first time. */
export type Recorded = (orders: number) => void;

export interface Front {
  /** Resolves when the orders would survive a crash of this process. */
  submit(orders: readonly Order[]): Promise<void>;
  close(): Promise<void>;
}

export interface Back {
  close(): Promise<void>;
}

export interface Peer {
  readonly title: string;
  /** What it does not have and Sluice has, beyond what all peers lack. */
  readonly lacks: string;
  readonly stores: readonly Store[];
  readonly ledger: "postgres" | "sqlite";
  /** Orders per call of `submit`; behind HTTP each call has one. */
  readonly chunk: number;
  /** Most orders that are submitted but not in the ledger, as measured best. */
  readonly window: number;
  /** Creates tables, queues and stock. */
  prepare(places: Places, items: readonly Item[]): Promise<void>;
  /** Takes orders. Without a back, it also decides and records them. */
  front(places: Places, recorded: Recorded): Promise<Front>;
  /** Decides and records, in a process of its own. */
  readonly back?: (places: Places, recorded: Recorded) => Promise<Back>;
  /** Units left of each item. */
  unitsLeft(places: Places): Promise<Map<string, number>>;
}
