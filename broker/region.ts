/** One region's broker. Order matters in a list of regions: the first is the home region. */
export interface Region {
  readonly name: string;
  /** amqp:// or amqps:// URL, vhost included. */
  readonly url: string;
  /** Other nodes of its cluster, tried in turn when the one before cannot be reached. */
  readonly others?: readonly string[];
}

/** As in the setting. */
export function urlsOf({ url, others = [] }: Region): string {
  return [url, ...others].join("|");
}
