// A worker that sends itself SIGKILL at a step: CRASH_AT = before_decide | after_decide |
// after_commit | before_ack | before_confirm. The steps are patched from outside, so the worker's
// code has no hooks for them.
import { Publisher } from "../broker/publisher.ts";
import { makeLog } from "../cli/log.ts";
import { startWorker } from "../cli/roles/worker.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { readSettings } from "../core/settings/settings.ts";
import { ShardStore } from "../core/stores/shard-store.ts";
import { ThreadedWriter } from "../ledger/threaded-writer.ts";

const die = () => process.kill(process.pid, "SIGKILL");

type Method = (...args: never[]) => Promise<unknown>;

/** Replaces a method; `around` receives the original, bound to its object. */
function cut(
  type: { prototype: object },
  name: string,
  around: (original: Method, args: never[]) => Promise<unknown>,
): void {
  const prototype = type.prototype as Record<string, Method>;
  const original = prototype[name] as Method;
  prototype[name] = function (this: object, ...args: never[]) {
    return around(original.bind(this) as Method, args);
  };
}

switch (process.env.CRASH_AT) {
  case "before_decide":
    cut(ShardStore, "decide", async () => die());
    break;
  case "after_decide":
    cut(ShardStore, "decide", async (decide, args) => {
      await decide(...args);
      die();
    });
    break;
  case "after_commit":
    cut(ThreadedWriter, "record", async (record, args) => {
      await record(...args);
      die();
    });
    break;
  case "before_ack":
    // The ledger has the entry and Redis knows; the acknowledgement is next.
    cut(ShardStore, "recorded", async (recorded, args) => {
      await recorded(...args);
      die();
    });
    break;
  case "before_confirm":
    cut(Publisher, "publish", async (publish, args) => {
      const confirm = publish(...args);
      if ((args as unknown[])[1] !== "orders.dead") return confirm;
      // Enough time to reach the socket, but not to handle the answer.
      setImmediate(die);
      return new Promise(() => undefined);
    });
    break;
  default:
    throw new Error(`CRASH_AT: '${process.env.CRASH_AT}' is not a step`);
}

const { CRASH_AT: _, ...env } = process.env;
await startWorker(realRuntime, readSettings(env), "doomed", makeLog("doomed"));
