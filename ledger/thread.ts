// The writer's thread: SQLite's calls block, and a commit that waits for the disk must stall no heartbeat.
import { Db } from "./db.ts";
import { DirectWriter } from "./writer.ts";

declare const self: Worker;

export interface Call {
  readonly id: number;
  readonly method: "record" | "takeShard" | "beginRebuild" | "followUpsDone" | "close";
  readonly args: readonly unknown[];
}
export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

let writer: Promise<DirectWriter> | undefined;

self.onmessage = async ({ data }: MessageEvent<{ open: string } | Call>) => {
  if ("open" in data) {
    writer = Db.open(data.open).then((db) => new DirectWriter(db));
    return;
  }
  const { id, method, args } = data;
  try {
    const target = (await writer) as unknown as Record<string, (...args: readonly unknown[]) => Promise<unknown>>;
    postMessage({ id, value: await target[method]?.(...args) } satisfies Answer);
  } catch (error) {
    postMessage({ id, error: (error as Error).message } satisfies Answer);
  }
};
