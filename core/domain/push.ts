// What a worker reports to the gateway that accepted an order, over its queue `gateway.<id>`. Best
// effort: clients catch up from the ledger.

export interface Push {
  /**
   * By the gateway's number for its batch: one word per row (see parseOutcome), separated by
   * commas.
   */
  readonly batches: readonly (readonly [batch: string, outcomes: string])[];
  /** Orders that were parked and are now decided, or that came late and were looked up. */
  readonly released: readonly (readonly [user: string, id: string, state: string])[];
}

export const gatewayQueue = (gatewayId: string): string => `gateway.${gatewayId}`;
