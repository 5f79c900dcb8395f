/** What exists at the broker differs from what Sluice declares: retrying does not help. */
export class TopologyConflict extends Error {
  override name = "TopologyConflict";
}

/** The broker cannot be reached, or refuses the credentials or the virtual host. */
export class BrokerUnavailable extends Error {
  override name = "BrokerUnavailable";
}
