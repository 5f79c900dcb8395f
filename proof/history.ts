// The clients' own record of their calls and the answers: one JSON line per call, written when it
// ends. It is the only witness `sluice verify` has from outside the system.
import type { FileSink } from "bun";
import { realRuntime } from "../core/runtime/runtime.ts";

/**
 * `ok`: certainly accepted. `fail`: certainly refused. `info`: unknown (time-out, lost connection,
 * `unconfirmed`).
 */
export type CallResult = "ok" | "fail" | "info";

interface CallBase {
  readonly client: string;
  readonly via: "http" | "ws";
  readonly region: string;
  /** Unix ms with fractions: start of the call, and arrival of its answer. */
  readonly t0: number;
  readonly t1: number;
  readonly user: string;
  readonly result: CallResult;
  readonly status: number;
}

/** What the client asked for, as sent, without the id. */
export interface SentBody {
  readonly saleId: string;
  readonly seq?: number;
  readonly currency: string;
  readonly lines: readonly { readonly sku: string; readonly qty: number }[];
  readonly payment?: string;
  readonly metadata?: Record<string, unknown>;
  readonly maxTotal?: number;
}

export interface OrderCall extends CallBase {
  readonly op: "order";
  readonly id: string;
  /** Counts the sendings of this id, from 1. */
  readonly send: number;
  /** The problem that the answer names; empty if it names none. */
  readonly code: string;
  readonly body: SentBody;
}

export interface SkipCall extends CallBase {
  readonly op: "skip";
  readonly saleId: string;
  readonly seq: number;
}

export interface CancelCall extends CallBase {
  readonly op: "cancel";
  readonly id: string;
}

/** An outcome a client received, pushed or on request. */
export interface OutcomeTold {
  readonly op: "outcome";
  readonly client: string;
  readonly t: number;
  readonly user: string;
  readonly id: string;
  readonly state: string;
}

export type HistoryLine = OrderCall | SkipCall | CancelCall | OutcomeTold;

/** Unix ms with fractions, comparable between the processes of one machine. */
export const historyNow = (): number => performance.timeOrigin + realRuntime.monotonicMs();

/** Bytes collected before a write, so that the disk does not slow the clients. */
const WRITE_BUFFER_BYTES = 1024 * 1024;
/** Lines kept as text before they go to the writer together. */
const FLUSH_LINES = 512;

export class HistoryWriter {
  private readonly sink: FileSink;
  private pending = "";
  private lines = 0;

  constructor(path: string) {
    this.sink = Bun.file(path).writer({ highWaterMark: WRITE_BUFFER_BYTES });
  }

  /** `bodyText` is the JSON of the body as sent, so that it is serialized only once. */
  order(call: Omit<OrderCall, "body" | "op">, bodyText: string): void {
    this.add(
      `{"op":"order","client":"${call.client}","via":"${call.via}","region":"${call.region}",` +
        `"t0":${call.t0},"t1":${call.t1},"user":"${call.user}","id":"${call.id}",` +
        `"send":${call.send},"result":"${call.result}","status":${call.status},` +
        `"code":"${call.code}","body":${bodyText}}\n`,
    );
  }

  skip(call: Omit<SkipCall, "op">): void {
    this.add(`${JSON.stringify({ op: "skip", ...call })}\n`);
  }

  cancel(call: Omit<CancelCall, "op">): void {
    this.add(`${JSON.stringify({ op: "cancel", ...call })}\n`);
  }

  outcome(told: Omit<OutcomeTold, "op">): void {
    this.add(
      `{"op":"outcome","client":"${told.client}","t":${told.t},"user":"${told.user}",` +
        `"id":"${told.id}","state":${JSON.stringify(told.state)}}\n`,
    );
  }

  async close(): Promise<void> {
    this.flush();
    await this.sink.end();
  }

  private add(line: string): void {
    this.pending += line;
    if (++this.lines === FLUSH_LINES) this.flush();
  }

  private flush(): void {
    this.sink.write(this.pending);
    this.pending = "";
    this.lines = 0;
  }
}

/**
 * Reads a history in pieces. An invalid line throws an error that names it; a last line truncated
 * by a crash is skipped.
 */
export async function* readHistory(path: string): AsyncGenerator<readonly HistoryLine[]> {
  const decoder = new TextDecoder();
  let rest = "";
  let at = 0;
  for await (const bytes of Bun.file(path).stream()) {
    const text = rest + decoder.decode(bytes, { stream: true });
    const end = text.lastIndexOf("\n");
    rest = text.slice(end + 1);
    if (end < 0) continue;
    const lines = text.slice(0, end).split("\n");
    const parsed = lines.map((line, i) => parseLine(line, path, at + i + 1));
    at += lines.length;
    yield parsed;
  }
}

const OPS: ReadonlySet<string> = new Set(["order", "skip", "cancel", "outcome"]);

function parseLine(line: string, path: string, number: number): HistoryLine {
  try {
    const value = JSON.parse(line) as HistoryLine;
    if (OPS.has(value.op)) return value;
  } catch {
    // The error below covers it.
  }
  throw new Error(
    `${path}, line ${number}: not a history line (op ${[...OPS].join(", ")}): ${line.slice(0, 80)}`,
  );
}
