// A worker with one rule disabled, for test/verify-rush.test.ts. MUTANT is a list of:
// `early-ack` acknowledges orders on arrival instead of after recording; `slow-ledger` records
// nothing before the worker is killed.

import { makeLog } from "../../cli/log.ts";
import { startWorker } from "../../cli/roles/worker.ts";
import { Decider } from "../../consumers/orders/decider.ts";
import { Recorder } from "../../consumers/orders/recorder.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { readSettings } from "../../core/settings/settings.ts";

const mutant = (process.env.MUTANT ?? "").split(",");

if (mutant.includes("early-ack")) {
  const accept = Decider.prototype.accept;
  Decider.prototype.accept = function (work) {
    // Answers of payment workers stay: without them the system would never be at rest.
    if (work.acceptedAtMs === 0) return accept.call(this, work);
    work.done("ack");
    accept.call(this, { ...work, done: () => undefined });
  };
}
if (mutant.includes("slow-ledger")) Recorder.prototype.record = () => new Promise(() => undefined);

await startWorker(
  realRuntime,
  readSettings(process.env),
  `mutant-${process.pid}`,
  makeLog("mutant"),
);
