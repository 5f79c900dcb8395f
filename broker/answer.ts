// Waits for what the broker answers to a call on a connection. Without an answer in time the
// connection is dropped, and connection.ts dials it anew: heartbeats notice a line that is dead,
// not a broker that has stopped serving one channel.
import type { ChannelModel } from "amqplib";
import type { Runtime } from "../core/runtime/runtime.ts";
import { Silence } from "../core/runtime/silence.ts";
import { dropConnection } from "./close.ts";

/** Declaring a quorum queue takes a broker a second or two while it elects leaders. */
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
