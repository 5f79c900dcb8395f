// A stack that is ready for orders.
import { SHARDS, Stack, type StackOptions } from "./stack.ts";

export type StartedWorker = Awaited<ReturnType<Stack["worker"]>>;

/** With a sale, and workers that have all shards between them. */
export async function readyStack(
  items: Record<string, number>,
  options: StackOptions = {},
  workers: readonly string[] = ["w1"],
): Promise<{ stack: Stack; workers: StartedWorker[] }> {
  const stack = await Stack.start(options);
  await stack.sale(items);
  const started: StartedWorker[] = [];
  for (const id of workers) started.push(await stack.worker(id));
  await stack.until("all shards owned and the sale in Redis", async () => {
    const owned = started.flatMap(({ worker }) => worker.shards);
    return owned.length === SHARDS && (await stack.ledger.operationsOpen()).length === 0;
  });
  return { stack, workers: started };
}
