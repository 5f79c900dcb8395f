// A rebuilder announces its rebuild, so that the other workers leave it alone. The announcement
// expires soon after its rebuilder ends.
import type { EntryId } from "../../core/domain/entry.ts";
import { newEntryId } from "../../core/domain/entry-id.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import { Overtaken, type RebuildStore } from "../../core/stores/rebuild-store.ts";

/** How long an announcement stands after it was last renewed. */
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

  /** Announces a rebuild and keeps renewing it. false: another rebuilder has announced one. */
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

  /** Throws if the announcement expired and another rebuilder has announced a rebuild since. */
  check(): void {
    if (this.overtaken) throw new Overtaken("another rebuild has been announced");
  }

  /** Whether another rebuilder has announced a rebuild. */
  byAnother(): Promise<boolean> {
    return this.store.underWay(this.token);
  }

  /** Holds the others off for this long, because the same rebuilder will try again. */
  async rest(incarnation: number, ms: number): Promise<void> {
    this.pause();
    await ignore(this.renew(incarnation, ms + ANNOUNCE_TTL_MS), "rebuild_announcement");
  }

  /** Withdraws the announcement, unless it has been replaced by another's. */
  async retract(): Promise<void> {
    this.pause();
    await ignore(this.store.retract(this.token), "rebuild_announcement");
  }

  /** Stops renewing it, so that it expires. */
  pause(): void {
    this.runtime.stopTimer(this.timer);
    this.timer = undefined;
  }

  private async renew(incarnation: number, ttlMs: number): Promise<boolean> {
    return (await this.store.announce(incarnation, this.token, ttlMs)) === "announced";
  }
}
