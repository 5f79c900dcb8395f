// amqplib's own connection and channels without a socket: the other end receives
// methods and sends methods. So a simulated broker meets the same client code as a real one, but
// for the bytes, and for how a call's promise is made.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { PassThrough } from "node:stream";
import type { ChannelModel } from "amqplib";

/** A method of the protocol, with its message if it carries one. */
export interface Method {
  readonly channel: number;
  /** As amqplib names it: `BasicPublish`. */
  readonly name: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly content?: Buffer;
}

/** What the client does. */
export interface FarEnd {
  sent(method: Method): void;
  /** The client has closed its socket. */
  closed(): void;
}

/** What the far end does to the client. */
export interface NearEnd {
  readonly model: ChannelModel;
  receive(method: Method): void;
  /** The socket fails: every channel closes, then the connection. */
  fail(error: Error): void;
}

interface Frame {
  readonly channel: number;
  readonly id?: number;
  readonly fields?: unknown;
  readonly size?: number;
  readonly content?: Buffer;
}

interface Slot {
  readonly channel: { accept(frame: Frame): void };
  readonly buffer: { end(): void };
}

/** The members of amqplib's Connection that are used or replaced here. */
interface AmqpConnection {
  stream: unknown;
  accept(frame: Frame): void;
  channels: (Slot | null)[];
  onSocketError(error: Error): void;
}

/** How amqplib's channels make calls. */
interface RpcChannel {
  _rpc(method: number, fields: unknown, expected: number, done: Answered): void;
  rpc(method: number, fields: unknown, expected: number): Promise<unknown>;
  closeBecause(reason: string, code: number, done: () => void): void;
  close(): Promise<void>;
}
type Answered = (error: Error | null | undefined, frame: Frame) => void;

// The package exports only `connect`, which opens a socket.
const require = createRequire(import.meta.url);
const lib = join(dirname(require.resolve("amqplib")), "lib");
const { Connection } = require(join(lib, "connection.js")) as {
  Connection: new (stream: PassThrough) => AmqpConnection;
};
const { ChannelModel: Model, Channel } = require(join(lib, "channel_model.js")) as {
  ChannelModel: new (connection: AmqpConnection) => ChannelModel;
  Channel: { readonly prototype: RpcChannel };
};
const defs = require(join(lib, "defs.js")) as Record<string, unknown> & {
  info(id: number): { readonly name: string };
  readonly constants: { readonly REPLY_SUCCESS: number };
};

/**
 * As amqplib's own, which calls `util.promisify` each time: 20 µs a call, a twelfth of a simulation
 * (docs/decisions/0023-simulator.md).
 */
async function rpc(
  this: RpcChannel,
  ...[method, fields, expected]: Parameters<RpcChannel["rpc"]>
): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<Frame>();
  this._rpc(method, fields, expected, (error, frame) => {
    if (error) reject(error);
    else resolve(frame);
  });
  return (await promise).fields;
}

/** The same for closing a channel. */
function close(this: RpcChannel): Promise<void> {
  return new Promise((resolve) =>
    this.closeBecause("Goodbye", defs.constants.REPLY_SUCCESS, resolve),
  );
}

const NO_BUFFER = { end: () => undefined };

class SocketlessConnection extends Connection {
  constructor(private readonly far: FarEnd) {
    super(new PassThrough());
    this.stream = {
      writableLength: 0,
      write: () => true,
      cork: () => undefined,
      uncork: () => undefined,
      end: () => far.closed(),
      // As a stream does, it reports the error later.
      destroy: (error: Error) => queueMicrotask(() => this.onSocketError(error)),
    };
    this.accept = (frame) => this.channels[frame.channel]?.channel.accept(frame);
  }

  sendMethod(channel: number, id: number, fields: Method["fields"]): boolean {
    this.far.sent({ channel, name: defs.info(id).name, fields });
    return true;
  }

  sendMessage(
    channel: number,
    id: number,
    fields: Method["fields"],
    _properties: number,
    properties: Method["fields"],
    content: Buffer,
  ): boolean {
    if (!Buffer.isBuffer(content)) throw new TypeError("content is not a buffer");
    this.far.sent({ channel, name: defs.info(id).name, fields, properties, content });
    return true;
  }

  freshChannel(channel: Slot["channel"]): number {
    let number = 1;
    while (this.channels[number]) number++;
    this.channels[number] = { channel, buffer: NO_BUFFER };
    return number;
  }

  releaseChannel(number: number): void {
    this.channels[number] = null;
  }
}

/** A client's connection, open, whose other end is `far`. */
export function connectInProcess(far: FarEnd): NearEnd {
  Object.assign(Channel.prototype, { rpc, close });
  const connection = new SocketlessConnection(far);
  const accept = ({ channel, name, fields, properties, content }: Method) => {
    connection.accept({ channel, id: defs[name] as number, fields });
    if (!content) return;
    const id = defs.BasicProperties as number;
    connection.accept({ channel, id, fields: properties, size: content.length });
    if (content.length > 0) connection.accept({ channel, content });
  };
  return {
    model: new Model(connection),
    receive: (method) => {
      try {
        accept(method);
      } catch (error) {
        connection.onSocketError(error as Error); // as amqplib's own loop has it
      }
    },
    fail: (error) => connection.onSocketError(error),
  };
}
