// Whether a store that runs also serves. Any answer counts: a store that loads its file, is busy
// with a script, or asks for a password is healthy.
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { realRuntime } from "../core/runtime/runtime.ts";

/** Rejects unless Redis answers in time. */
export async function probeRedis(port: number, limitMs: number): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  const answered = Promise.withResolvers<void>();
  const fail = (why: string) => answered.reject(new Error(why));
  socket.once("connect", () => socket.write("PING\r\n"));
  socket.once("data", () => answered.resolve());
  socket.once("error", (error) => fail(error.message));
  socket.once("close", () => fail("it closes connections without an answer"));
  const late = realRuntime.startTimer(() => fail(`no answer within ${limitMs} ms`), limitMs);
  try {
    await answered.promise;
  } finally {
    realRuntime.stopTimer(late);
    socket.destroy();
  }
}

/** Whether a signal has stopped a process. False where there is no /proc. */
export function isFrozen(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return /^[Tt]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return false;
  }
}
