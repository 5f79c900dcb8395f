// A connection between a simulated process and a simulated broker: amqplib's own code at one end
// (broker/in-process.ts), the broker's channels at the other, and between them a way in each
// direction that can be slow, cut, held or reset.
//
// 1. Frames arrive in the order in which they were sent.
// 2. Each side notices a silent line by its heartbeats, on its own clock. A process that is frozen
//    sends none, and notices nothing until it is thawed.
// 3. Under an alarm the broker reads nothing more from a connection that has published.
import {
  connectInProcess,
  type FarEnd,
  type Method,
  type NearEnd,
} from "../../../../broker/in-process.ts";
import type { Runtime, Timer } from "../../../../core/runtime/runtime.ts";
import { Way } from "../way.ts";
import { BrokerChannel, type Session } from "./channel.ts";
import type { BrokerNode } from "./node.ts";

/** After this many silent intervals, the client and the broker each give a connection up. */
const CLIENT_BEATS = 2;
const BROKER_BEATS = 2;

/** Answered within the event of their question while the connection is set up. */
const QUICK = new Set(
  ["ChannelOpen", "ChannelClose", "ConfirmSelect", "ExchangeDeclare", "QueueDeclare"].concat([
    "QueueBind",
    "QueueUnbind",
    "BasicQos",
    "BasicConsume",
  ]),
);

type Frame = Method | "socket closed";

export interface ConnectionSpec {
  readonly node: BrokerNode;
  /** The process, its clocks and timers. */
  readonly process: string;
  readonly runtime: Runtime;
  readonly user: string;
  /** 0: none. */
  readonly heartbeatS: number;
  /** Why the broker reads nothing from publishers; undefined if it does. */
  readonly alarm: () => string | undefined;
  readonly onEnd: (connection: SimulatedConnection) => void;
}

export class SimulatedConnection implements Session, FarEnd {
  readonly near: NearEnd;
  private readonly toBroker: Way<Frame>;
  private readonly toClient: Way<Frame>;
  private readonly channels = new Map<number, BrokerChannel>();
  private readonly quick: boolean;
  /** The method being handled is answered within this event. */
  private quickly = false;
  private brokerClosed = false;
  private clientClosed = false;
  private processGone = false;
  private clientTimer: Timer | undefined;
  /** Why the broker receives nothing from the client. */
  private readonly silent = new Set<"cut" | "frozen">();
  private silences = 0;

  constructor(private readonly spec: ConnectionSpec) {
    const { node, process } = spec;
    const { scheduler, name } = node;
    this.toBroker = new Way(scheduler, `${process} → ${name}`, (frame) => this.atBroker(frame));
    this.toClient = new Way(scheduler, `${process} ← ${name}`, (frame) => this.atClient(frame));
    this.quick = scheduler.random() < node.trouble.quickSetup;
    this.near = connectInProcess(this);
  }

  get user(): string {
    return this.spec.user;
  }

  get process(): string {
    return this.spec.process;
  }

  // The client's end.

  sent(method: Method): void {
    if (this.processGone) return;
    const still = this.toBroker.length === 0 && this.toClient.length === 0;
    const free = still && !this.toBroker.held && !this.toClient.held && !this.brokerClosed;
    if (!this.quick || !free || !QUICK.has(method.name)) {
      this.toBroker.send(method.name, method, this.delayMs());
      return;
    }
    this.quickly = true;
    this.atBroker(method);
    this.quickly = false;
  }

  closed(): void {
    this.clientClosed = true;
    if (!this.processGone) this.toBroker.send("socket closed", "socket closed", this.delayMs());
  }

  // The broker's end.

  send(method: Method): void {
    if (this.brokerClosed) return;
    if (!this.quickly || method.name === "BasicDeliver")
      this.toClient.send(method.name, method, this.delayMs());
    else queueMicrotask(() => this.atClient(method)); // amqplib expects no answer while it sends
  }

  /** The broker closes the socket. The client finds out when that arrives. */
  drop(): void {
    if (this.brokerClosed) return;
    this.endAtBroker();
    this.toClient.send("socket closed", "socket closed", this.delayMs());
  }

  /** The node is gone: part of what it had sent arrives, then the socket is closed. */
  lose(): void {
    if (this.brokerClosed) return;
    this.brokerClosed = true;
    this.toBroker.drop();
    this.keepSome(this.toClient);
    this.toClient.send("socket closed", "socket closed", this.delayMs());
    this.spec.onEnd(this);
  }

  // What happens to the line and to the process.

  /** Nothing gets through (2). */
  cut(): void {
    this.toBroker.hold("cut");
    this.toClient.hold("cut");
    const { heartbeatS, runtime, node } = this.spec;
    this.watchAtBroker("cut");
    if (heartbeatS === 0 || this.clientTimer) return;
    const waitMs = (CLIENT_BEATS + node.scheduler.random()) * heartbeatS * 1_000;
    this.clientTimer = runtime.startTimer(() => {
      this.clientTimer = undefined;
      this.near.fail(new Error("Heartbeat timeout"));
    }, waitMs);
  }

  heal(): void {
    this.spec.runtime.stopTimer(this.clientTimer);
    this.clientTimer = undefined;
    this.silent.delete("cut");
    this.toBroker.release("cut");
    this.toClient.release("cut");
  }

  /** The process stands still: what it has sent arrives, what is sent to it waits (2). */
  freeze(): void {
    this.toClient.hold("frozen");
    this.watchAtBroker("frozen");
  }

  thaw(): void {
    this.silent.delete("frozen");
    this.toClient.release("frozen");
  }

  /** The process is gone: part of what it had sent arrives. */
  crash(): void {
    this.processGone = true;
    this.spec.runtime.stopTimer(this.clientTimer);
    this.toClient.drop();
    if (this.brokerClosed) return;
    this.keepSome(this.toBroker);
    this.toBroker.send("socket closed", "socket closed", this.delayMs());
  }

  /** The alarm is over (3). */
  unblock(): void {
    if (!this.toBroker.release("alarm")) return;
    this.send({ channel: 0, name: "ConnectionUnblocked", fields: {} });
  }

  private watchAtBroker(why: "cut" | "frozen"): void {
    const { heartbeatS, node, process } = this.spec;
    if (this.silent.size === 0) this.silences++;
    this.silent.add(why);
    if (heartbeatS === 0 || this.silent.size > 1) return;
    const silence = this.silences;
    const waitMs = (BROKER_BEATS + node.scheduler.random()) * heartbeatS * 1_000;
    node.scheduler.event(
      `${node.name} misses heartbeats of ${process}`,
      () => (silence === this.silences && this.silent.size > 0 ? this.drop() : undefined),
      waitMs,
    );
  }

  private atBroker(frame: Frame): void {
    if (this.brokerClosed) return;
    if (frame === "socket closed") {
      this.endAtBroker();
      return;
    }
    if (frame.name === "ConnectionClose") {
      this.send({ channel: 0, name: "ConnectionCloseOk", fields: {} });
      this.endAtBroker();
    }
    if (frame.channel === 0) return;
    this.channelOf(frame).receive(frame);
    const reason = this.spec.alarm();
    if (reason === undefined || frame.name !== "BasicPublish") return;
    this.send({ channel: 0, name: "ConnectionBlocked", fields: { reason } });
    this.toBroker.hold("alarm"); // 3
  }

  private channelOf({ channel: number, name }: Method): BrokerChannel {
    let channel = this.channels.get(number);
    if (!channel || name === "ChannelOpen") {
      channel = new BrokerChannel(this.spec.node, this, number);
      this.channels.set(number, channel);
    }
    return channel;
  }

  private atClient(frame: Frame): void {
    if (this.processGone || this.clientClosed) return;
    if (frame === "socket closed") this.near.fail(new Error("Unexpected close"));
    else this.near.receive(frame);
  }

  private endAtBroker(): void {
    if (this.brokerClosed) return;
    const { node } = this.spec;
    for (const channel of this.channels.values()) channel.end();
    this.brokerClosed = true;
    this.toBroker.drop();
    for (const { spec } of node.queues) if (spec.owner === this) node.delete(spec.name);
    this.spec.onEnd(this);
  }

  /** Of what is under way, the first ones still arrive. */
  private keepSome(way: Way<Frame>): void {
    const under = way.drop();
    const kept = Math.floor(this.spec.node.scheduler.random() * (under.length + 1));
    for (const frame of under.slice(0, kept))
      way.send(frame === "socket closed" ? frame : frame.name, frame, 0);
  }

  private delayMs(): number {
    const { scheduler, trouble } = this.spec.node;
    const { usualMs, slow, slowMs } = trouble;
    const mostMs = slow > 0 && scheduler.random() < slow ? slowMs : usualMs;
    return scheduler.random() * mostMs;
  }
}
