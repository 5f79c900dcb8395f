// The bodies of orders whose outcome this gateway has received, by user and id: another body under
// the same id is refused at once. Elsewhere, or before the outcome, the first body still stands,
// and the other leaves a `conflict` among its events.
import type { Batch } from "./batch.ts";
import { Recent } from "./recent.ts";

/** Some seconds of a flood, at about 150 bytes each; the oldest are forgotten first. */
const MAX_BODIES = 65_536;

export class KnownBodies {
  /** Fingerprints. */
  private readonly bodies = new Recent<string>(MAX_BODIES);

  /** `words`: the outcomes of the batch. A conflict (`!`) says that the body is not the first. */
  learn(batch: Batch, words: readonly string[]): void {
    for (let i = 0; i < words.length; i++) {
      const fingerprint = batch.fingerprintAt(i);
      if (fingerprint === "" || words[i]?.charCodeAt(0) === EXCLAMATION) continue;
      this.bodies.set(batch.nameAt(i), fingerprint);
    }
  }

  /** Whether the id is known to be another order's. */
  isOther(user: string, id: string, fingerprint: string): boolean {
    const known = this.bodies.get(`${user} ${id}`);
    return known !== undefined && known !== fingerprint;
  }
}

const EXCLAMATION = 0x21;
