// A worker with a rule knocked out, for test/verify-mutation.test.ts. MUTANT is a list of:
// `early-ack` acknowledges messages when they arrive, not when they are recorded; `slow-ledger`
// records nothing before the worker is killed.
import { Decider } from "../../consumers/decider.ts";
import { Recorder } from "../../consumers/recorder.ts";
import { readSettings } from "../../core/settings.ts";
import { makeLog } from "../../ops/log.ts";
import { startWorker } from "../../ops/roles/worker.ts";

const mutant = (process.env.MUTANT ?? "").split(",");

if (mutant.includes("early-ack")) {
  const accept = Decider.prototype.accept;
  Decider.prototype.accept = function (work) {
    work.done("ack");
    accept.call(this, { ...work, done: () => undefined });
  };
}
if (mutant.includes("slow-ledger")) Recorder.prototype.record = () => new Promise(() => undefined);

await startWorker(readSettings(process.env), `mutant-${process.pid}`, makeLog("mutant"));
