// Where clients connect. It can stop listening for a while: new connections are refused by the
// kernel, open WebSockets and requests in flight continue.
import type { Server } from "bun";
import { messageOf } from "../../core/domain/message-of.ts";
import { SettingError } from "../../core/settings/settings.ts";

export class Listener<Data> {
  private current: Server<Data> | undefined;
  /** Those that stopped listening and still have connections. */
  private readonly former = new Set<Server<Data>>();
  /** `http://host:port`, without a trailing slash. */
  readonly url: string;
  readonly port: number;

  /** Throws SettingError if the port is not available. */
  constructor(
    private readonly serve: (port: number) => Server<Data>,
    port: number,
  ) {
    const server = listen(serve, port);
    this.current = server;
    this.url = server.url.href.replace(/\/$/, "");
    this.port = server.port as number;
  }

  get listening(): boolean {
    return this.current !== undefined;
  }

  /** Closes connections that neither send a request nor wait for an answer; returns how many. */
  closeIdle(): number {
    return this.servers().reduce((sum, server) => sum + server.closeIdleConnections(), 0);
  }

  pause(): void {
    const server = this.current;
    if (!server) return;
    this.current = undefined;
    this.former.add(server);
    void server.stop().then(() => this.former.delete(server));
  }

  /** Throws if the port is not available now. */
  resume(): void {
    this.current ??= this.serve(this.port);
  }

  /** Stops listening. Settles when every connection is closed. */
  async stop(): Promise<void> {
    await Promise.all(this.servers().map((server) => server.stop()));
  }

  /** Cuts every connection. */
  async cut(): Promise<void> {
    await Promise.all(this.servers().map((server) => server.stop(true)));
  }

  private servers(): Server<Data>[] {
    return this.current ? [this.current, ...this.former] : [...this.former];
  }
}

function listen<Data>(serve: (port: number) => Server<Data>, port: number): Server<Data> {
  try {
    return serve(port);
  } catch (error) {
    const taken = (error as { code?: unknown }).code === "EADDRINUSE";
    const why = taken ? "another program listens there" : messageOf(error);
    throw new SettingError(`SLUICE_HTTP_PORT: port ${port} cannot be used: ${why}`);
  }
}
