// The protocol with a rule left out. Each variant must break one of its invariants: this exposes a
// rule that nothing needs, or an invariant that notices nothing.

export interface Variant {
  /** The rules that are left out. */
  readonly without: readonly string[];
  /** A scope of docs/protocol/scopes.qnt. */
  readonly scope: string;
  /** Any of these is broken. */
  readonly breaks: readonly string[];
  /** Seeds that are known to find it, tried first. */
  readonly seeds: readonly number[];
}

const variant = (rules: string, scope: string, breaks: string, ...seeds: number[]): Variant => ({
  without: rules.split(" "),
  scope,
  breaks: breaks.split(" "),
  seeds,
});

export const VARIANTS: readonly Variant[] = [
  variant("confirm", "QUIET", "heldUntilRecorded", 1),
  variant("ackAfterRecord", "QUIET", "heldUntilRecorded", 1),
  variant("dedup", "RESENT", "noFalseAlarm", 4),
  variant("dedup once", "RESENT", "oneEffect", 4),
  variant("recognize", "DOUBT", "noFalseAlarm", 10),
  variant("chain", "REGROWN", "chained heldUntilRecorded", 1),
  variant("ledgerFence", "OWNERS", "epochsRise", 1967),
  variant("redisFence", "OWNERS", "noFalseAlarm", 10),
  variant("catchUp", "OWNERS", "noFalseAlarm", 26),
  variant("singleActive", "OWNERS", "acknowledgedInOrder", 6),
  variant("lease", "OWNERS", "acknowledgedInOrder", 3964),
  variant("tip", "TAIL", "acknowledgedInOrder", 75),
  variant("stock", "SHARED", "unitsAddUp", 12),
  variant("release", "RETURNED", "noFalseAlarm", 84),
  variant("counts", "LOADING", "openIsComplete countsAgree", 57),
  variant("incarnation", "REBUILDERS", "openIsComplete countsAgree", 1210),
  variant("halt", "BACK", "neverForgets", 820),
  variant("wentBack", "BACK", "neverForgets", 960),
  variant("haltStays", "BACK_AND_WIPED", "neverForgets", 1471),
  variant("parking", "NUMBERED", "noFalseAlarm", 82),
  variant("parking numbers", "NUMBERED", "numbersInOrder", 82),
  variant("gapClock", "NUMBERED", "nobodyPassedOver", 449),
  variant("lanes", "QUIET", "oneChargeAtATime", 1),
  variant("chargeAfterRecord", "CHARGES", "chargedIsRecorded", 3),
  variant("followUp", "CHARGES", "chargeIsHeld", 3),
  variant("key", "CHARGES", "oneCapture", 1),
  variant("payerAck", "CHARGES", "chargeIsHeld", 1),
];
