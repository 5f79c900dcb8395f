// The parts in a message of the exchange `fulfilment`.
import { isPart, type Part } from "../../core/domain/part.ts";

/** undefined: it is not a list of parts. */
export function readParts(body: Buffer, shards: number): readonly Part[] | undefined {
  try {
    const parts = JSON.parse(body.toString()) as unknown;
    return Array.isArray(parts) && parts.every(isPart) && parts.every((p) => p.shard < shards)
      ? parts
      : undefined;
  } catch {
    return undefined;
  }
}
