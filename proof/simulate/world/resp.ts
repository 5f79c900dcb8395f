// A connection to redis-server that only sends commands in order and reads their replies: a
// simulation makes millions of calls, and a general client costs several times more for each.
import type { Socket } from "bun";
import { replyError } from "../../../core/stores/redis.ts";

export type Command = readonly (string | number | Buffer)[];

interface Waiting {
  resolve(reply: unknown): void;
  reject(error: Error): void;
}

const CR = 13;

export class RespConnection {
  private readonly waiting: Waiting[] = [];
  private unsent: Buffer[] = [];
  private flushing = false;
  private socket: Socket | undefined;
  private readonly replies = new Replies();

  /** Connects to the server's Unix socket. */
  static async open(path: string): Promise<RespConnection> {
    const connection = new RespConnection();
    connection.socket = await Bun.connect({
      unix: path,
      socket: {
        data: (_, chunk) => connection.read(chunk),
        drain: () => connection.flush(),
        close: () => connection.fail(new Error("redis-server has closed the connection")),
        error: (_, error) => connection.fail(error),
      },
    });
    return connection;
  }

  /** Sends it soon, after all that were given before. */
  send(command: Command): Promise<unknown> {
    if (!this.flushing) {
      this.flushing = true;
      queueMicrotask(() => this.flush());
    }
    return this.give(command);
  }

  /** Sends it with the next one that is sent, or with `flush`: one write for all of them. */
  give(command: Command): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.waiting.push({ resolve, reject });
    this.unsent.push(encode(command));
    return promise;
  }

  close(): void {
    this.socket?.end();
  }

  flush(): void {
    this.flushing = false;
    if (this.unsent.length === 0) return;
    const all = this.unsent.length === 1 ? (this.unsent[0] as Buffer) : Buffer.concat(this.unsent);
    const written = this.socket?.write(all) ?? 0;
    this.unsent = written < all.length ? [all.subarray(Math.max(0, written))] : [];
  }

  private read(chunk: Buffer): void {
    this.replies.add(chunk);
    for (let reply = this.replies.next(); reply; reply = this.replies.next()) {
      const caller = this.waiting.shift();
      if (reply.value instanceof Error) caller?.reject(reply.value);
      else caller?.resolve(reply.value);
    }
  }

  private fail(error: Error): void {
    for (const { reject } of this.waiting.splice(0)) reject(error);
  }
}

function encode(command: Command): Buffer {
  const parts: Buffer[] = [];
  let text = `*${command.length}\r\n`;
  for (const argument of command) {
    if (typeof argument === "string" || typeof argument === "number") {
      const value = String(argument);
      text += `$${Buffer.byteLength(value)}\r\n${value}\r\n`;
    } else {
      parts.push(Buffer.from(`${text}$${argument.length}\r\n`), argument);
      text = "\r\n";
    }
  }
  const last = Buffer.from(text);
  return parts.length === 0 ? last : Buffer.concat([...parts, last]);
}

/** Replies in what has been received (RESP 2). */
class Replies {
  private bytes: Buffer = Buffer.alloc(0);
  private at = 0;

  add(chunk: Buffer): void {
    const rest = this.bytes.subarray(this.at);
    // The chunk's memory belongs to the socket.
    this.bytes = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    this.at = 0;
  }

  /** The next whole reply; undefined if it has not arrived yet. */
  next(): { readonly value: unknown } | undefined {
    const from = this.at;
    const reply = this.read();
    if (!reply) this.at = from;
    return reply;
  }

  private read(): { readonly value: unknown } | undefined {
    const line = this.line();
    if (line === undefined) return undefined;
    const rest = line.slice(1);
    switch (line[0]) {
      case "+":
        return { value: rest };
      case "-":
        return { value: replyError(rest) };
      case ":":
        return { value: Number(rest) };
      case "$":
        return this.text(Number(rest));
      case "*":
        return this.list(Number(rest));
      default:
        throw new Error(`redis-server sent '${line}'`);
    }
  }

  private line(): string | undefined {
    const end = this.bytes.indexOf(CR, this.at);
    if (end < 0 || end + 1 >= this.bytes.length) return undefined;
    const line = this.bytes.toString("latin1", this.at, end);
    this.at = end + 2;
    return line;
  }

  private text(length: number): { readonly value: string | null } | undefined {
    if (length < 0) return { value: null };
    const end = this.at + length;
    if (end + 2 > this.bytes.length) return undefined;
    const value = this.bytes.toString("utf8", this.at, end);
    this.at = end + 2;
    return { value };
  }

  private list(length: number): { readonly value: unknown[] | null } | undefined {
    if (length < 0) return { value: null };
    const value: unknown[] = [];
    for (let i = 0; i < length; i++) {
      const member = this.read();
      if (!member) return undefined;
      value.push(member.value);
    }
    return { value };
  }
}
