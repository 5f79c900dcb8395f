// One WebSocket of the flood, directly on TCP: frames are copied into a buffer and written many at
// a time, and answers are counted without parsing. A client library would cost more than the system
// under test.
import type { Socket } from "bun";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { type FrameTemplate, USERS, writeDecimal, writeHex } from "./orders.ts";

/** Frames per write: about 50 kB. */
const FRAMES_PER_WRITE = 256;
const ACK_LENGTH = '["0","00000000-0000-7000-8000-000000000000"],'.length;
const ACK_ID_AT = '["0","'.length;
const ACKS_OVERHEAD = '{"type":"acks","acks":['.length - 1;
/** Position of the first letter of a frame's type: {"type":"… */
const TYPE_AT = 9;
const OPEN_BRACKET = 0x5b;

export interface FloodCounts {
  sent: number;
  accepted: number;
  decided: number;
  readonly refused: Map<string, number>;
}

export interface FloodSocketOptions {
  readonly url: URL;
  readonly token: string;
  readonly index: number;
  readonly templates: readonly FrameTemplate[];
  readonly counts: FloodCounts;
  /** How many different users order; default: the standard workload's. */
  readonly users?: number;
  /** Whether more may be sent now, besides this socket's credit. */
  readonly may: () => boolean;
  /** How many more may be sent now; default: as many as credit and `may` allow. */
  readonly due?: (sent: number) => number;
  /** Called before orders are written: the first one's serial number, and how many. */
  readonly sends?: (serial: number, count: number) => void;
  /** Called for each order with its serial number on this socket. */
  readonly heard?: (
    serial: number,
    what: "accepted" | "decided" | "refused",
    /** Why it was refused. */
    code?: string,
  ) => void;
}

export class FloodSocket {
  private socket: Socket | undefined;
  private credit = 0;
  private outstanding = 0;
  private unwritten: Uint8Array = new Uint8Array(0);
  private unread: Buffer = Buffer.alloc(0);
  private upgraded = false;
  private serial = 0;
  private random: number;
  private readonly buffer: Uint8Array;

  constructor(private readonly options: FloodSocketOptions) {
    this.buffer = new Uint8Array(
      FRAMES_PER_WRITE * Math.max(...options.templates.map((t) => t.bytes.length)),
    );
    this.random = options.index + 1;
  }

  /** Orders sent so far. */
  get sent(): number {
    return this.serial;
  }

  async connect(): Promise<void> {
    const { url, token } = this.options;
    const ready = Promise.withResolvers<void>();
    this.socket = await Bun.connect({
      hostname: url.hostname,
      port: Number(url.port),
      socket: {
        data: (_, bytes) => {
          this.read(bytes as Buffer);
          if (this.credit > 0) ready.resolve();
        },
        drain: () => this.fill(),
        close: () => ready.reject(new Error("the gateway closed a socket of the flood")),
      },
    });
    const key = Buffer.from(realRuntime.randomBytes(16)).toString("base64");
    const headers = [
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Key: ${key}`,
      "Sec-WebSocket-Version: 13",
    ];
    this.socket.write(
      `GET /v1/ws HTTP/1.1\r\nHost: ${url.host}\r\n${headers.join("\r\n")}\r\n` +
        `Authorization: Bearer ${token}\r\n\r\n`,
    );
    await ready.promise;
  }

  /** Sends as much as credit and `may` allow. */
  fill(): void {
    if (this.unwritten.length > 0) this.write(this.unwritten);
    while (this.unwritten.length === 0 && this.outstanding < this.credit && this.options.may()) {
      const count = Math.min(
        FRAMES_PER_WRITE,
        this.credit - this.outstanding,
        this.options.due?.(this.serial) ?? FRAMES_PER_WRITE,
      );
      if (count <= 0) return;
      this.write(this.frames(count));
    }
  }

  close(): void {
    this.socket?.terminate();
  }

  private frames(count: number): Uint8Array {
    const { templates, index, counts, users = USERS } = this.options;
    const { buffer } = this;
    const nowMs = realRuntime.wallMs();
    this.options.sends?.(this.serial, count);
    let at = 0;
    for (let i = 0; i < count; i++) {
      this.random = (Math.imul(this.random, 1_664_525) + 1_013_904_223) >>> 0;
      const { bytes, idAt, userAt, userDigits } = templates[
        (this.random >>> 16) % templates.length
      ] as FrameTemplate; // a cast: this runs for every frame
      buffer.set(bytes, at);
      writeHex(buffer, at + idAt, Math.floor(nowMs / 65_536), 8);
      writeHex(buffer, at + idAt + 9, nowMs % 65_536, 4);
      writeHex(buffer, at + idAt + 24, index, 4);
      writeHex(buffer, at + idAt + 28, this.serial++, 8);
      writeDecimal(buffer, at + userAt, (this.random >>> 8) % users, userDigits);
      at += bytes.length;
    }
    this.outstanding += count;
    counts.sent += count;
    return buffer.subarray(0, at);
  }

  private write(bytes: Uint8Array): void {
    const written = Math.max(0, this.socket?.write(bytes) ?? 0);
    // The buffer is refilled only once it was written completely.
    this.unwritten = written < bytes.length ? bytes.subarray(written) : new Uint8Array(0);
  }

  private read(bytes: Buffer): void {
    let data = this.unread.length > 0 ? Buffer.concat([this.unread, bytes]) : bytes;
    if (!this.upgraded) {
      const end = data.indexOf("\r\n\r\n");
      if (end < 0) {
        this.unread = Buffer.from(data);
        return;
      }
      if (!data.subarray(0, 12).toString().endsWith(" 101"))
        throw new Error(data.subarray(0, end).toString());
      this.upgraded = true;
      data = data.subarray(end + 4);
    }
    let at = 0;
    for (let frame = frameAt(data, at); frame; frame = frameAt(data, at)) {
      this.frame(data[at] as number, data, frame.from, frame.to);
      at = frame.to;
    }
    this.unread = at < data.length ? Buffer.from(data.subarray(at)) : Buffer.alloc(0);
    this.fill();
  }

  private frame(first: number, data: Buffer, from: number, to: number): void {
    if ((first & 15) === 9) {
      this.socket?.write(Uint8Array.of(0x8a, 0x80, 0, 0, 0, 0)); // pong
      return;
    }
    const { counts, heard } = this.options;
    switch (String.fromCharCode(data[from + TYPE_AT] ?? 0)) {
      case "a": {
        const tail = to - 1 - data.lastIndexOf("]", to - 1);
        const acks = (to - from - tail - 1 - ACKS_OVERHEAD) / ACK_LENGTH;
        this.outstanding -= acks;
        counts.accepted += acks;
        if (heard)
          for (let i = 0; i < acks; i++)
            heard(
              serialAt(data, from + ACKS_OVERHEAD + 1 + i * ACK_LENGTH + ACK_ID_AT),
              "accepted",
            );
        break;
      }
      case "o":
        for (let i = data.indexOf(OPEN_BRACKET, from) + 1; i > 0 && i < to; counts.decided++) {
          i = data.indexOf(OPEN_BRACKET, i) + 1;
          if (i === 0 || i > to) break;
          heard?.(serialAt(data, i + 1), "decided");
        }
        break;
      default:
        this.rare(JSON.parse(data.subarray(from, to).toString()));
    }
  }

  private rare(frame: {
    type: string;
    credit?: number;
    missed?: number;
    nacks?: [string, string, { code: string }][];
  }): void {
    const { counts } = this.options;
    if (frame.credit !== undefined) this.credit = frame.credit;
    if (frame.missed !== undefined) counts.decided += frame.missed;
    for (const [, id, { code }] of frame.nacks ?? []) {
      this.outstanding--;
      this.options.heard?.(Number.parseInt(id.slice(-8), 16), "refused", code);
      counts.refused.set(code, (counts.refused.get(code) ?? 0) + 1);
    }
  }
}

/** The serial number at the end of the id at this position. */
function serialAt(data: Buffer, idAt: number): number {
  let serial = 0;
  for (let i = idAt + 28; i < idAt + 36; i++) {
    const c = data[i] as number;
    serial = serial * 16 + (c > 0x39 ? c - 0x57 : c - 0x30);
  }
  return serial;
}

/** The payload's position in a server frame, if the whole frame has arrived. */
function frameAt(data: Buffer, at: number): { from: number; to: number } | undefined {
  if (data.length < at + 2) return undefined;
  const short = (data[at + 1] as number) & 127;
  const header = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (data.length < at + header) return undefined;
  const length =
    short === 126
      ? data.readUInt16BE(at + 2)
      : short === 127
        ? Number(data.readBigUInt64BE(at + 2))
        : short;
  return data.length < at + header + length
    ? undefined
    : { from: at + header, to: at + header + length };
}
