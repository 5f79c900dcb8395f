// A worker that kills itself with SIGKILL at the step it is told: CRASH_AT = before_decide |
// after_decide | after_commit | before_ack | before_confirm. The steps are cut into from outside,
// so that the worker's own code knows nothing of it.
import { Publisher } from "../broker/publisher.ts";
import { makeLog } from "../cli/log.ts";
import { startWorker } from "../cli/roles/worker.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { readSettings } from "../core/settings/settings.ts";
import { ShardStore } from "../core/stores/shard-store.ts";
import { ThreadedWriter } from "../ledger/threaded-writer.ts";

const die = () => process.kill(process.pid, "SIGKILL");

type Method = (...args: never[]) => Promise<unknown>;

/** Replaces a method; `around` gets the original bound to its object. */
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
    // The ledger has it, Redis has been told, the acknowledgement is next.
    cut(ShardStore, "recorded", async (recorded, args) => {
      await recorded(...args);
      die();
    });
    break;
  case "before_confirm":
    cut(Publisher, "publish", async (publish, args) => {
      const confirm = publish(...args);
      if ((args as unknown[])[1] !== "orders.dead") return confirm;
      // Leaves time to reach the socket, none for the answer to be acted on.
      setImmediate(die);
      return new Promise(() => undefined);
    });
    break;
  default:
    throw new Error(`CRASH_AT: '${process.env.CRASH_AT}' is no step`);
}

const { CRASH_AT: _, ...env } = process.env;
await startWorker(realRuntime, readSettings(env), "doomed", makeLog("doomed"));
