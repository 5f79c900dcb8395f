// Waits for the broker's answer to a call. Without one in time the connection is dropped and
// connection.ts connects again: heartbeats detect a dead line, but not a broker that has stopped
// serving one channel.
import type { ChannelModel } from "amqplib";
import type { Runtime } from "../core/runtime/runtime.ts";
import { Silence } from "../core/runtime/silence.ts";
import { dropConnection } from "./close.ts";

/** Declaring a quorum queue takes a second or two while the broker elects a leader. */
const ANSWER_MS = 10_000;

export async function answered<T>(
  runtime: Runtime,
  model: ChannelModel,
  call: Promise<T>,
  limitMs = ANSWER_MS,
): Promise<T> {
  const silence = new Silence(runtime, limitMs, () =>
    dropConnection(model, "a call had no answer"),
  );
  try {
    return await Promise.race([call, silence.over]);
  } finally {
    silence.end();
  }
}
