// What faults see of the running system: its processes, its stores, the lines between them, and the
// clients' view. live.ts makes one from real processes.
import type { Role } from "../../services/fleet.ts";
import type { TakenBack } from "./taken-back.ts";
import type { TcpProxy } from "./tcp-proxy.ts";

export type RoleKind = Role["kind"];

/** A process that faults may end, freeze and start again. Its address stays the same. */
export interface Victim {
  readonly name: string;
  pid(): number;
  /** By the kernel: `frozen` is stopped by a signal, `gone` includes a zombie. */
  state(): "running" | "frozen" | "gone";
  /** SIGKILL to its whole process group; it stays down until start(). */
  kill(): Promise<void>;
  /** SIGTERM, and SIGKILL after a grace period; it stays down until start(). */
  stop(): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  freeze(): void;
  resume(): void;
  /**
   * Starts it after kill() or stop(), with these variables besides its own, and resolves when it
   * serves. Without `env` it has its own variables again. A running one is left alone.
   */
  start(env?: Readonly<Record<string, string>>): Promise<void>;
}

export interface ChaosRole extends Victim {
  readonly kind: RoleKind;
  /** Gateways and the provider only. */
  readonly url?: string;
  /** Gateways only. */
  readonly region?: string;
  /** Log lines so far with this event: `halted`, `shard acquired`. Each is parsed JSON. */
  events(event: string): Promise<readonly Record<string, unknown>[]>;
  /** Starts it again with another command line client, such as an earlier release's `cli.ts`. */
  startFrom(cli: string): Promise<void>;
}

export interface ChaosRedis extends Victim {
  readonly url: string;
  readonly port: number;
  /** Its data folder; what lies there as `dump.rdb` is loaded when it starts. */
  readonly dir: string;
  /** One command on a connection of its own, with a deadline. */
  call(command: string, ...args: readonly (string | number)[]): Promise<unknown>;
  /** Starts a replica of it on another port and resolves when both are in sync. */
  replica(): Promise<ChaosReplica>;
}

export interface ChaosReplica {
  readonly url: string;
  readonly port: number;
  call(command: string, ...args: readonly (string | number)[]): Promise<unknown>;
  /** Ends it and removes its folder. */
  end(): Promise<void>;
}

export interface ChaosBroker {
  readonly region: string;
  /** One node, or three of a cluster. Regions may share a node. */
  readonly nodes: readonly ChaosNode[];
  /** AMQP URL for a role's user, such as `worker`; it leads to a node that runs. */
  url(user: string): string;
  /** Runs rabbitmqctl against a node that runs. */
  ctl(...args: readonly string[]): Promise<string>;
}

export interface ChaosNode extends Victim {
  readonly dir: string;
  ctl(...args: readonly string[]): Promise<string>;
}

export interface ChaosLedger {
  readonly kind: "sqlite" | "postgres";
  readonly url: string;
  /** SQLite only: its file; `-wal` and `-shm` lie beside it. */
  readonly file?: string;
  /** Postgres only. */
  readonly server?: Victim;
  /** Entries recorded so far; rejects while the ledger does not answer. */
  entries(): Promise<number>;
  /** The number `n` that a statement selects. */
  count(statement: string): Promise<number>;
  /** SQLite only: writes a backup to a file that does not exist yet. */
  backup(file: string): Promise<void>;
}

export interface ChaosProvider extends ChaosRole {
  /** Every call fails with 503 while it is on. */
  outage(on: boolean): Promise<void>;
  /**
   * Starts it again with other shares of misbehaviours (stubs/provider/behaviour.ts); none means
   * those of the scenario.
   */
  misbehave(shares?: string): Promise<void>;
  /** Attempts of webhooks since it started that got no answer. */
  unanswered(): Promise<number>;
}

export interface ChaosRates {
  /**
   * The file that the rates role reads. What is written there is published within a second;
   * `undefined` puts the usual rates back.
   */
  publish(text: string | undefined): void;
}

/** A line between two parts, with a proxy on it. `from` dials `to` through the proxy. */
export interface Link {
  readonly name: string;
  readonly from: RoleKind | "client";
  /** `redis`, `ledger`, `provider`, `gateway eu`, or `broker eu`. */
  readonly to: string;
  readonly proxy: TcpProxy;
}

/** What the clients see, all together. */
export interface Flow {
  /** Orders that got a 202 so far, and outcomes that clients were told. */
  accepted(): number;
  told(): number;
  /** Answers so far by kind: `202`, `503 shed`, `lost`. */
  answers(): ReadonlyMap<string, number>;
  /** First acceptance at a gateway of this region since a moment of historyNow(), if any. */
  acceptedSince(region: string, sinceMs: number): number | undefined;
  /** An operator lists orders whose region was lost for good at this moment of historyNow(). */
  takeBack(orders: readonly TakenBack[], region: string, lostAtMs: number): void;
}

export interface ChaosSystem {
  /** Its folder, for files of a fault. */
  readonly dir: string;
  readonly shards: number;
  /** A worker's lease, ms. */
  readonly leaseMs: number;
  /** How old a rate may be for a charge, ms. */
  readonly rateMaxAgeMs: number;
  /** Variables that lead a command of `sluice`, run by an operator, to this system. */
  readonly env: Readonly<Record<string, string>>;
  readonly roles: readonly ChaosRole[];
  /** The roles of a kind; there is at least one of each. */
  rolesOf(kind: RoleKind): readonly ChaosRole[];
  readonly redis: ChaosRedis;
  /** Home region first. */
  readonly brokers: readonly ChaosBroker[];
  readonly ledger: ChaosLedger;
  readonly provider: ChaosProvider;
  readonly rates: ChaosRates;
  /** Empty unless the system was started with proxies. */
  readonly links: readonly Link[];
  readonly flow: Flow;
  /** Runs `sluice <words>` as an operator; rejects with its output if it fails. */
  sluice(...words: readonly string[]): Promise<string>;
  /** Sum of a metric's samples over the roles of a kind that answer; `name` may have labels. */
  metric(kind: RoleKind, name: string): Promise<number>;
  /** The same of one role; 0 while it does not answer. */
  metricOf(role: ChaosRole, name: string): Promise<number>;
}
