// Names of a trace with real workers: they choose the ids of their entries, so these are learned;
// and a real worker 0 has taken its shards, so epochs are ahead of the specification's.

import { realRuntime } from "../../../core/runtime/runtime.ts";
import { LedgerAudit } from "../../../ledger/audit.ts";
import { Names } from "../names.ts";
import type { SpecPlace, SpecState } from "../world-state.ts";
import { at } from "../world-state.ts";
import type { Stage } from "./stage.ts";

export class WorkerNames extends Names {
  private readonly ids = new Map<string, number>([["genesis", 0]]);
  private readonly messages = new Map<string, string>();
  private ahead = 0;

  /** How far the real epochs are ahead, of every shard. */
  async learnEpochs({ world }: Stage, state: SpecState): Promise<void> {
    const audit = await LedgerAudit.open(realRuntime, world.sight.db);
    const [first] = await audit.shards();
    if (first) this.ahead = first.epoch - at<SpecPlace>(state.ledger.places, first.shard).epoch;
  }

  learn(real: string, id: number): void {
    this.ids.set(real, id);
  }

  learnMessage(text: string, name: string): void {
    this.messages.set(text, name);
  }

  messageName(text: string): string {
    return this.messages.get(text) ?? text;
  }

  /** undefined: the specification has no such entry. */
  idOf(real: string): number | undefined {
    return this.ids.get(real);
  }

  override entry(id: string | undefined): string {
    return String(this.ids.get(id ?? "") ?? id);
  }

  override epoch(real: string | number | undefined): string {
    return String(Number(real) - this.ahead);
  }
}
