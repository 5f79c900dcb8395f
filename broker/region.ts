/** One region's broker. Order matters in a list of regions: the first is the home region. */
export interface Region {
  readonly name: string;
  /** amqp:// or amqps:// URL, vhost included. */
  readonly url: string;
}
