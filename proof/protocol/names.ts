// The definitions of docs/protocol that the runner uses.
import { VARIANTS } from "./variants.ts";

/** What must hold in every state of the protocol. */
export const INVARIANTS = [
  ...["heldUntilRecorded", "onlyWhatWasSent", "oneEffect", "numbersInOrder"],
  ...["acknowledgedInOrder", "unitsAddUp", "oneCapture", "chargedIsRecorded", "oneChargeAtATime"],
  ...["chargeIsHeld", "chained", "epochsRise", "openIsComplete", "countsAgree", "neverForgets"],
  ...["noFalseAlarm", "nobodyPassedOver", "drainedIsDone"],
];

export const SCOPES = [
  ...["EVERYTHING", "QUIET", "RESENT", "OWNERS", "DOUBT", "TAIL", "REGROWN", "SHARED", "RETURNED"],
  ...["LOADING", "REBUILDERS", "BACK", "BACK_AND_WIPED", "CHARGES", "NUMBERED", "REGIONAL"],
];

/** A state that the protocol must reach: otherwise one in which nothing happens would pass. */
export interface Witness {
  readonly name: string;
  readonly scope: string;
  readonly seeds: readonly number[];
}

const witness = (name: string, scope: string, ...seeds: number[]): Witness => ({
  name,
  scope,
  seeds,
});

export const WITNESSES: readonly Witness[] = [
  witness("allDone", "CHARGES", 6),
  witness("paid", "CHARGES", 1),
  witness("failedForGood", "RETURNED", 24),
  witness("soldAgain", "RETURNED"),
  witness("waitedInLane", "QUIET", 1),
  witness("soldOut", "SHARED", 15),
  witness("parked", "NUMBERED", 28),
  witness("releasedByNumber", "NUMBERED", 82),
  witness("gapGivenUp", "NUMBERED", 119),
  witness("superseded", "NUMBERED", 710),
  witness("failedOver", "REGIONAL", 2),
  witness("regionWasDown", "REGIONAL", 2),
  witness("caughtUp", "REGROWN", 30),
  witness("inDoubt", "DOUBT", 10),
  witness("wasDropped", "OWNERS", 9),
  witness("crashed", "OWNERS", 3),
  witness("tailLost", "TAIL", 1),
  witness("allLost", "LOADING", 2),
  witness("rebuilt", "LOADING", 2),
  witness("ledgerBack", "BACK", 1),
  witness("halted", "BACK", 43),
  witness("payerCrashed", "CHARGES", 1),
];

export const NAMES = [
  ...new Set([
    ...["first", "step", ...INVARIANTS, ...SCOPES],
    ...WITNESSES.map(({ name }) => name),
    ...VARIANTS.flatMap(({ breaks }) => breaks),
  ]),
];
