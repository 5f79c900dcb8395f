/** One region's broker. The order of a list of regions matters: the first is the home region. */
export interface Region {
  readonly name: string;
  /** amqp:// or amqps:// URL, vhost included. */
  readonly url: string;
}
