// What a worker tells the gateway that took an order, over its queue `gateway.<id>`. Best effort:
// clients catch up from the ledger.

export interface Push {
  /**
   * By the number the gateway gave its batch: one word a row of that batch (see parseOutcome),
   * separated by commas.
   */
  readonly batches: readonly (readonly [batch: string, outcomes: string])[];
  /**
   * Orders that waited for their number and have been let go, or were looked up because they came
   * late.
   */
  readonly released: readonly (readonly [user: string, id: string, state: string])[];
}

export const gatewayQueue = (gatewayId: string): string => `gateway.${gatewayId}`;
