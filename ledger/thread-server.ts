// The inside of a ledger's thread: calls a method of what it has opened, and answers.
import { messageOf } from "../core/domain/message-of.ts";
import { LedgerUnavailable } from "./runner.ts";
import type { Answer, Call } from "./thread-calls.ts";

declare const self: Worker;

type Target = Record<string, (...args: readonly unknown[]) => Promise<unknown>>;

/** If `open` fails, the next call tries again. */
export function serveCalls<Opening>(open: (opening: Opening) => Promise<object>): void {
  let opening: Opening;
  let target: Promise<object> | undefined;
  const opened = (): Promise<object> => {
    target ??= open(opening);
    target.catch(() => {
      target = undefined;
    });
    return target;
  };
  self.onmessage = async ({ data }: MessageEvent<{ open: Opening } | Call>) => {
    if ("open" in data) {
      opening = data.open;
      return;
    }
    const { id, method, args } = data;
    try {
      const value = await ((await opened()) as Target)[method]?.(...args);
      postMessage({ id, value } satisfies Answer);
    } catch (error) {
      const state = error instanceof LedgerUnavailable ? error.state : undefined;
      postMessage({ id, error: messageOf(error), state } satisfies Answer);
    }
  };
}
