// A rebuilder's announcement that it is at work: the other workers then leave the rebuild to it. It
// lapses with its rebuilder.
import type { EntryId } from "../../core/domain/entry.ts";
import { newEntryId } from "../../core/domain/entry-id.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import { Overtaken, type RebuildStore } from "../../core/stores/rebuild-store.ts";

/** How long an announcement stands after the last sign of life. */
const ANNOUNCE_TTL_MS = 5_000;
const ANNOUNCE_EVERY_MS = 1_000;

export class Announcement {
  private readonly token: EntryId;
  private timer: Timer | undefined;
  private overtaken = false;

  constructor(
    private readonly runtime: Runtime,
    private readonly store: RebuildStore,
  ) {
    this.token = newEntryId(runtime.randomBytes);
  }

  /** Announces a rebuild and keeps doing so. false: another rebuilder's announcement stands. */
  async begin(incarnation: number): Promise<boolean> {
    this.pause();
    this.overtaken = false;
    if (!(await this.renew(incarnation, ANNOUNCE_TTL_MS))) return false;
    this.timer = this.runtime.startInterval(() => {
      const renewed = this.renew(incarnation, ANNOUNCE_TTL_MS);
      void ignore(
        renewed.then((own) => (this.overtaken ||= !own)),
        "rebuild_announcement",
      );
    }, ANNOUNCE_EVERY_MS);
    return true;
  }

  /** Stops a rebuilder whose announcement lapsed and was followed by another's. */
  check(): void {
    if (this.overtaken) throw new Overtaken("another rebuild has been announced");
  }

  /** Whether another rebuilder's announcement stands. */
  byAnother(): Promise<boolean> {
    return this.store.underWay(this.token);
  }

  /**
   * Keeps the others away for this long: a rebuild that failed is tried again by the same
   * rebuilder.
   */
  async rest(incarnation: number, ms: number): Promise<void> {
    this.pause();
    await ignore(this.renew(incarnation, ms + ANNOUNCE_TTL_MS), "rebuild_announcement");
  }

  /** Takes it back, unless another's stands there now. */
  async retract(): Promise<void> {
    this.pause();
    await ignore(this.store.retract(this.token), "rebuild_announcement");
  }

  /** It lapses by itself from here on. */
  pause(): void {
    this.runtime.stopTimer(this.timer);
    this.timer = undefined;
  }

  private async renew(incarnation: number, ttlMs: number): Promise<boolean> {
    return (await this.store.announce(incarnation, this.token, ttlMs)) === "announced";
  }
}
