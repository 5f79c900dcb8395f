// A TCP line between clients and a server, with all the troubles of a network: connections are cut,
// reset in the middle of a frame or refused, one direction or both fall silent, bytes are late or
// trickle. It counts what it did, as evidence.
import { connect, createServer, type Server, type Socket } from "node:net";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { Pipe, type PipeLine, type Shape } from "./tcp-pipe.ts";

export type Direction = "requests" | "answers";

/** A line that was stalled stays so; connections made after `renew` use a new one. */
interface Line {
  readonly stalled: Set<Direction>;
}

/** What a proxy has done so far. */
export interface LineCounts {
  /** Connections torn down by `cut`, and reset in the middle of their bytes. */
  cut: number;
  resets: number;
  /** Pieces that were held back by a delay or a narrow line. */
  delayed: number;
  /** Bytes that arrived, and bytes that were lost on a stalled line. */
  readonly passed: Record<Direction, number>;
  readonly dropped: Record<Direction, number>;
}

/** A line that carries everything at once has none of these. */
export type Slow = Partial<Shape>;

/** The bytes before a reset have left by then. */
const RESET_AFTER_MS = 5;

export class TcpProxy {
  /** Sees each piece of data from a client before it is forwarded, and may cut the line there. */
  onRequest: (piece: Buffer) => void = () => undefined;
  /** Connections accepted, including those torn down. */
  accepted = 0;
  /** While set, a new connection is torn down at once. */
  refusing = false;
  readonly counts: LineCounts = {
    ...{ cut: 0, resets: 0, delayed: 0 },
    ...{ passed: { requests: 0, answers: 0 }, dropped: { requests: 0, answers: 0 } },
  };
  private line: Line = { stalled: new Set() };
  private shape: Shape | undefined;
  /** How many bytes may still pass in this direction before their connection is reset. */
  private trap: { readonly direction: Direction; left: number } | undefined;
  private readonly clients = new Set<Socket>();
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;
  private port = 0;

  private constructor(private target: { host: string; port: number }) {}

  /** A line to the server of a URL. */
  static async to(url: string): Promise<TcpProxy> {
    const { hostname: host, port } = new URL(url);
    const proxy = new TcpProxy({ host, port: Number(port) });
    await proxy.listen();
    return proxy;
  }

  /** New connections go to this server; open ones stay where they are. */
  point(url: string): void {
    const { hostname: host, port } = new URL(url);
    this.target = { host, port: Number(port) };
  }

  /** The URL with this line's address instead of the server's. */
  through(url: string): string {
    const via = new URL(url);
    via.hostname = "127.0.0.1";
    via.port = String(this.port);
    return via.toString();
  }

  /** Clients that have not closed their end. */
  get connected(): number {
    return this.clients.size;
  }

  /** Tears down all connections at both ends. */
  cut(): void {
    this.counts.cut += this.clients.size;
    for (const socket of this.sockets) socket.destroy();
  }

  /**
   * From now on nothing arrives in these directions, not even a close. Connections stay open, and
   * new ones are stalled too.
   */
  stall(...directions: Direction[]): void {
    for (const direction of directions) this.line.stalled.add(direction);
  }

  /** From now on bytes are late or trickle, on open connections too. */
  slow({ delayMs = 0, jitterMs = 0, bytesPerS = 0, random = realRuntime.random }: Slow): void {
    this.shape = { delayMs, jitterMs, bytesPerS, random };
  }

  /**
   * Once this many more bytes have passed in a direction, the connection that carried the last of
   * them is reset at both ends. It happens once.
   */
  resetAfter(direction: Direction, bytes: number): void {
    this.trap = { direction, left: bytes };
  }

  /** Whether a reset still waits for its bytes. */
  get trapped(): boolean {
    return this.trap !== undefined;
  }

  /** From now on the kernel refuses new connections; open ones continue. `serve` ends it. */
  refuse(): void {
    this.server?.close();
    this.server = undefined;
  }

  /** Accepts connections again, on the same port. */
  async serve(): Promise<void> {
    if (!this.server) await this.listen();
  }

  /**
   * The line works again, for new connections and for those that were only slow. Those of a stalled
   * line stay stalled.
   */
  renew(): void {
    this.line = { stalled: new Set() };
    this.shape = undefined;
    this.trap = undefined;
    this.refusing = false;
  }

  async close(): Promise<void> {
    const { server } = this;
    const closed = new Promise<unknown>((resolve) =>
      server ? server.close(resolve) : resolve(undefined),
    );
    this.cut();
    await closed;
  }

  /** On the port that it had before, if it had one. */
  private async listen(): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (client) => this.accept(client));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject);
    server.listen(this.port, "127.0.0.1", () => resolve());
    await promise;
    this.server = server;
    this.port = (server.address() as { port: number }).port;
  }

  private accept(client: Socket): void {
    this.accepted++;
    if (this.refusing) {
      client.on("error", () => undefined);
      client.destroy();
      return;
    }
    const server = connect({ ...this.target, allowHalfOpen: true, noDelay: true });
    client.setNoDelay(true);
    this.clients.add(client);
    for (const over of ["end", "close"]) client.on(over, () => this.clients.delete(client));
    client.on("data", (piece: Buffer) => this.onRequest(piece));
    this.forward(client, server, "requests");
    this.forward(server, client, "answers");
  }

  private forward(from: Socket, to: Socket, direction: Direction): void {
    this.sockets.add(from);
    from.on("error", () => undefined); // 'close' follows
    from.on("close", () => this.sockets.delete(from));
    new Pipe(from, to, this.pipeLine(from, to, direction));
  }

  private pipeLine(from: Socket, to: Socket, direction: Direction): PipeLine {
    const { line, counts } = this;
    return {
      shape: () => this.shape,
      passes: () => !line.stalled.has(direction),
      mayPass: (bytes) => this.springs(direction, bytes),
      passed: (bytes) => {
        counts.passed[direction] += bytes;
      },
      dropped: (bytes) => {
        counts.dropped[direction] += bytes;
      },
      delayed: () => {
        counts.delayed++;
      },
      reset: () => {
        counts.resets++;
        const reset = () => {
          for (const socket of [from, to]) if (!socket.destroyed) socket.resetAndDestroy();
        };
        realRuntime.startTimer(reset, RESET_AFTER_MS);
      },
    };
  }

  /** How many of these bytes pass before the trap springs; undefined: it does not. */
  private springs(direction: Direction, bytes: number): number | undefined {
    const { trap } = this;
    if (trap?.direction !== direction) return undefined;
    if (bytes < trap.left) {
      trap.left -= bytes;
      return undefined;
    }
    this.trap = undefined;
    return trap.left;
  }
}
