// The messages of all queues, as the broker has them after a power cut: read once, and put back
// before each recovery.
import { BrokerConnection } from "../../../broker/connection.ts";
import { depth } from "../../../broker/inspect.ts";
import { topology } from "../../../broker/topology.ts";
import { at } from "../../../core/domain/at.ts";
import { realRuntime } from "../../../core/runtime/runtime.ts";
import { until } from "./until.ts";

type Model = NonNullable<BrokerConnection["model"]>;
type Channel = Awaited<ReturnType<Model["createConfirmChannel"]>>;
type Message = NonNullable<Parameters<Parameters<Channel["consume"]>[1]>[0]>;

export interface KeptMessage {
  readonly queue: string;
  readonly body: Buffer;
  readonly properties: Message["properties"];
}

/** After this many counts with the same result, nothing more returns to a queue. */
const STILL_LOOKS = 5;
const LOOK_MS = 40;
const DECLARE_NOTHING = { exchanges: [], queues: [], bindings: [] };

export class Queues {
  private constructor(
    private readonly connection: BrokerConnection,
    private readonly model: Model,
    private readonly names: readonly string[],
  ) {}

  static async open(url: string, shards: number): Promise<Queues> {
    const region = { name: "power-cut", url };
    const connection = new BrokerConnection({
      runtime: realRuntime,
      region,
      topology: DECLARE_NOTHING,
    });
    await connection.start();
    const { model } = connection;
    if (!model) throw new Error("no connection to the broker");
    return new Queues(
      connection,
      model,
      topology(shards).queues.map(({ name }) => name),
    );
  }

  /** Reads all messages, oldest first, once nothing more returns from connections that ended. */
  async read(): Promise<KeptMessage[]> {
    await this.untilStill();
    const kept: KeptMessage[] = [];
    for (const queue of this.names) kept.push(...(await this.readOne(queue)));
    return kept;
  }

  /** The queues hold these messages, and no others. */
  async restore(messages: readonly KeptMessage[]): Promise<void> {
    await this.untilStill();
    const channel = await this.model.createConfirmChannel();
    for (const queue of this.names) await channel.purgeQueue(queue);
    for (const { queue, body, properties } of messages)
      channel.sendToQueue(queue, body, { ...properties, persistent: true });
    await channel.waitForConfirms();
    await channel.close();
    const held = await this.total();
    if (held !== messages.length) throw new Error(`the queues hold ${held} messages`);
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  /** A queue with a single active consumer does not serve `basic.get`. */
  private async readOne(queue: string): Promise<KeptMessage[]> {
    const count = (await depth(this.connection, queue))?.ready ?? 0;
    if (count === 0) return [];
    const channel = await this.model.createChannel();
    const kept: KeptMessage[] = [];
    await channel.consume(queue, (message) => {
      if (message) kept.push({ queue, body: message.content, properties: message.properties });
    });
    await until(`${count} messages of ${queue}`, () => kept.length >= count);
    await channel.close();
    return kept;
  }

  private async untilStill(): Promise<void> {
    const totals: number[] = [];
    await until("the queues to be still", async () => {
      await realRuntime.sleep(LOOK_MS);
      totals.push(await this.total());
      const last = totals.slice(-STILL_LOOKS);
      return last.length === STILL_LOOKS && last.every((total) => total === at(last, 0));
    });
  }

  private async total(): Promise<number> {
    let sum = 0;
    for (const queue of this.names) sum += (await depth(this.connection, queue))?.ready ?? 0;
    return sum;
  }
}
