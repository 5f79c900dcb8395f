// A TCP line between a client and a server that can be cut (both ends are torn down) or stalled
// (both ends stay open, nothing arrives).
import { connect, createServer, type Server, type Socket } from "node:net";

export type Direction = "requests" | "answers";

/** A line that was stalled stays so; connections made after `renew` use a new one. */
interface Line {
  readonly stalled: Set<Direction>;
}

export class TcpProxy {
  /** Sees each piece of data from a client before it is forwarded, and may cut the line there. */
  onRequest: (piece: Buffer) => void = () => undefined;
  /** Connections accepted, including those torn down. */
  accepted = 0;
  /** While set, a new connection is torn down at once. */
  refusing = false;
  private line: Line = { stalled: new Set() };
  private readonly clients = new Set<Socket>();
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly target: { host: string; port: number },
  ) {}

  /** A line to the server of a URL. */
  static async to(url: string): Promise<TcpProxy> {
    const { hostname: host, port } = new URL(url);
    const server = createServer({ allowHalfOpen: true });
    const proxy = new TcpProxy(server, { host, port: Number(port) });
    server.on("connection", (client) => proxy.accept(client));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  /** The URL with this line's address instead of the server's. */
  through(url: string): string {
    const via = new URL(url);
    via.hostname = "127.0.0.1";
    via.port = String((this.server.address() as { port: number }).port);
    return via.toString();
  }

  /** Clients that have not closed their end. */
  get connected(): number {
    return this.clients.size;
  }

  /** Tears down all connections at both ends. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  /**
   * From now on nothing arrives in these directions, not even a close. Connections stay open, and
   * new ones are stalled too.
   */
  stall(...directions: Direction[]): void {
    for (const direction of directions) this.line.stalled.add(direction);
  }

  /** New connections work again; those of the stalled line stay stalled. */
  renew(): void {
    this.line = { stalled: new Set() };
    this.refusing = false;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.cut();
    await closed;
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
    const { line } = this;
    const passes = () => !line.stalled.has(direction);
    this.sockets.add(from);
    from.on("data", (piece) => {
      if (passes() && !to.destroyed) to.write(piece);
    });
    from.on("end", () => {
      if (passes() && !to.destroyed) to.end();
    });
    from.on("error", () => undefined); // 'close' follows
    from.on("close", () => {
      this.sockets.delete(from);
      if (passes()) to.destroy();
    });
  }
}
