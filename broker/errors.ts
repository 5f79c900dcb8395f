/** Something at the broker differs from what Sluice declares: retrying does not help. */
export class TopologyConflict extends Error {
  override name = "TopologyConflict";
}

/** The broker is unreachable, or rejects the credentials or the virtual host. */
export class BrokerUnavailable extends Error {
  override name = "BrokerUnavailable";
}
