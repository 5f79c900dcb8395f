// A program beside Sluice that uses a region's broker under the name of one of its roles.
import { BrokerConnection } from "../../broker/connection.ts";
import { depth } from "../../broker/inspect.ts";
import { Publisher } from "../../broker/publisher.ts";
import type { Topology } from "../../broker/topology.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { ChaosBroker } from "./system.ts";

const NOTHING: Topology = { exchanges: [], queues: [], bindings: [] };
const CONFIRM_MS = 10_000;

export type Model = NonNullable<BrokerConnection["model"]>;

export class BrokerClient {
  private constructor(
    readonly connection: BrokerConnection,
    readonly publisher: Publisher,
  ) {}

  /** Connects as a role's user, and declares a topology if one is given. */
  static async open(broker: ChaosBroker, user: string, topology = NOTHING): Promise<BrokerClient> {
    const region = { name: broker.region, url: broker.url(user) };
    const connection = new BrokerConnection({ runtime: realRuntime, region, topology });
    const publisher = new Publisher(connection, { confirmTimeoutMs: CONFIRM_MS });
    await publisher.start();
    await connection.start();
    if (connection.model) return new BrokerClient(connection, publisher);
    await connection.close();
    throw new Error(`the broker of ${broker.region} does not answer`);
  }

  get model(): Model {
    const { model } = this.connection;
    if (!model) throw new Error(`the connection to ${this.connection.region} is lost`);
    return model;
  }

  /** Messages ready in a queue; undefined if there is no such queue. */
  async ready(queue: string): Promise<number | undefined> {
    return (await depth(this.connection, queue))?.ready;
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}

/** Work with a client that is closed afterwards. */
export async function withBroker<T>(
  broker: ChaosBroker,
  user: string,
  work: (client: BrokerClient) => Promise<T>,
  topology?: Topology,
): Promise<T> {
  const client = await BrokerClient.open(broker, user, topology);
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}
