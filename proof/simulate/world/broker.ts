// One region's RabbitMQ in a simulated world, behind amqplib's interface. See docs/simulator.md for
// what it models and what it does not.
import { permissionsOf } from "../../../broker/accounts.ts";
import type { Connect } from "../../../broker/connection.ts";
import type { Runtime } from "../../../core/runtime/runtime.ts";
import { SimulatedConnection } from "./broker/connection.ts";
import { BrokerNode, type BrokerTrouble, CALM } from "./broker/node.ts";
import type { Queue } from "./broker/queue.ts";
import type { WorldScheduler } from "./scheduler.ts";

export { type BrokerTrouble, CALM };

export interface WorldBrokerOptions {
  readonly scheduler: WorldScheduler;
  /** The region. */
  readonly name: string;
  /** Users have the permissions of their names (broker/accounts.ts); otherwise all. */
  readonly accounts?: boolean;
}

export class WorldBroker {
  private readonly node: BrokerNode;
  private readonly connections = new Set<SimulatedConnection>();
  /** Those whose end the client may not have heard of: it hears late, or when it is thawed. */
  private readonly ended = new Set<SimulatedConnection>();
  /** Processes that the region is cut off from; undefined stands for all. */
  private readonly cutOff = new Set<string | undefined>();
  /** Processes that stand still, each with the connections that were opened meanwhile. */
  private readonly frozen = new Map<string, (() => void)[]>();
  private readonly gone = new Set<string>();
  private running = true;
  private reason: string | undefined;

  constructor(private readonly options: WorldBrokerOptions) {
    const { scheduler, name, accounts } = options;
    const rights = accounts ? permissionsOf : () => undefined;
    this.node = new BrokerNode(scheduler, name, rights);
  }

  set trouble(trouble: BrokerTrouble) {
    this.node.trouble = trouble;
  }

  /** How a process connects: ConnectionOptions.connect. */
  dialer(process: string, runtime: Runtime): Connect {
    return (url, { timeout }) => this.connect(process, runtime, url, timeout);
  }

  // The node.

  /** It ends at once. Confirmed messages are on its disk, unconfirmed ones may be. */
  crash(): void {
    this.running = false;
    this.reason = undefined;
    for (const connection of [...this.connections]) connection.lose();
    this.node.crash();
  }

  /** It accepts connections again. */
  start(): void {
    this.running = true;
    this.node.start();
  }

  get up(): boolean {
    return this.running;
  }

  /** A memory or disk alarm: publishers are blocked. */
  alarm(reason: string): void {
    this.reason = reason;
  }

  endAlarm(): void {
    this.reason = undefined;
    for (const connection of this.connections) connection.unblock();
  }

  /** An operator deletes a queue with all that is in it. */
  deleteQueue(name: string): void {
    this.node.delete(name);
  }

  /** A queue rejects what is published to it, or takes it again. */
  refuse(queue: string, refuses: boolean): void {
    if (refuses) this.node.refusing.add(queue);
    else this.node.refusing.delete(queue);
  }

  // The network.

  /** Silence between the region and a process, or all of them, until `heal`. */
  cut(process?: string): void {
    this.cutOff.add(process);
    for (const connection of this.heardBy(process)) connection.cut();
  }

  heal(process?: string): void {
    this.cutOff.delete(process);
    for (const connection of this.heardBy(process))
      if (!this.isCut(connection.process)) connection.heal();
  }

  /** The connections are reset: those of a process, or all. */
  reset(process?: string): void {
    for (const connection of this.of(process)) connection.drop();
  }

  // Processes. A process that starts again has another name.

  freeze(process: string): void {
    this.frozen.set(process, []);
    for (const connection of this.heardBy(process)) connection.freeze();
  }

  thaw(process: string): void {
    for (const connection of this.heardBy(process)) connection.thaw();
    const opened = this.frozen.get(process) ?? [];
    this.frozen.delete(process);
    for (const connect of opened) connect();
  }

  /** A process has ended without closing its connections. */
  crashed(process: string): void {
    this.gone.add(process);
    for (const connection of this.heardBy(process)) {
      connection.crash();
      this.ended.delete(connection);
    }
  }

  // For invariants.

  get queues(): readonly Queue[] {
    return this.node.queues;
  }

  queue(name: string): Queue | undefined {
    return this.node.find(name);
  }

  private of(process: string | undefined): SimulatedConnection[] {
    return [...this.connections].filter((c) => process === undefined || c.process === process);
  }

  /** With those that have ended at this side only. */
  private heardBy(process: string | undefined): SimulatedConnection[] {
    const ended = [...this.ended].filter((c) => process === undefined || c.process === process);
    return [...this.of(process), ...ended];
  }

  private isCut(process: string): boolean {
    return this.cutOff.has(undefined) || this.cutOff.has(process);
  }

  private connect(
    process: string,
    runtime: Runtime,
    url: string,
    timeoutMs: number,
  ): ReturnType<Connect> {
    const { scheduler, name } = this.options;
    const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<Connect>>>();
    const late = runtime.startTimer(() => reject(new Error("connect ETIMEDOUT")), timeoutMs);
    const answer = (): void => {
      if (this.isCut(process) || this.gone.has(process)) return; // the timer ends it
      const waiting = this.frozen.get(process);
      if (waiting) {
        waiting.push(answer);
        return;
      }
      runtime.stopTimer(late);
      if (this.running) resolve(this.open(process, runtime, new URL(url)));
      else reject(new Error("connect ECONNREFUSED"));
    };
    scheduler.event(`${process} connects to ${name}`, answer, scheduler.random());
    return promise;
  }

  private open(process: string, runtime: Runtime, url: URL): Awaited<ReturnType<Connect>> {
    const connection = new SimulatedConnection({
      node: this.node,
      process,
      runtime,
      user: decodeURIComponent(url.username) || "guest",
      heartbeatS: Number(url.searchParams.get("heartbeat") ?? 0),
      alarm: () => this.reason,
      onEnd: (ended) => {
        this.connections.delete(ended);
        this.ended.add(ended);
      },
    });
    this.connections.add(connection);
    return connection.near.model;
  }
}
