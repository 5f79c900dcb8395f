// The writer's thread. SQLite's calls block, and a commit that waits for the disk must not delay
// heartbeats.
import { messageOf } from "../core/domain/message-of.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import type { LedgerWriter } from "./contract.ts";
import { Db } from "./db.ts";
import { DirectWriter } from "./writer.ts";

declare const self: Worker;

export interface Call {
  readonly id: number;
  readonly method: keyof LedgerWriter;
  readonly args: readonly unknown[];
}
export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

let url = "";
let writer: Promise<DirectWriter> | undefined;

/** If the database cannot be opened, the next call tries again. */
function opened(): Promise<DirectWriter> {
  writer ??= Db.open(realRuntime, url).then((db) => new DirectWriter(db));
  writer.catch(() => {
    writer = undefined;
  });
  return writer;
}

self.onmessage = async ({ data }: MessageEvent<{ open: string } | Call>) => {
  if ("open" in data) {
    url = data.open;
    return;
  }
  const { id, method, args } = data;
  try {
    const target = (await opened()) as unknown as Record<
      string,
      (...args: readonly unknown[]) => Promise<unknown>
    >;
    postMessage({ id, value: await target[method]?.(...args) } satisfies Answer);
  } catch (error) {
    postMessage({ id, error: messageOf(error) } satisfies Answer);
  }
};
