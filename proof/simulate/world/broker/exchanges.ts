// Exchanges and bindings: which queues a publication reaches.
import { Refused, type Table } from "./message.ts";

export interface Exchange {
  readonly name: string;
  readonly type: string;
  readonly durable: boolean;
  readonly alternate: string | undefined;
  readonly arguments: Table;
}

interface Binding {
  readonly exchange: string;
  readonly queue: string;
  readonly key: string;
  readonly arguments: Table;
}

const TYPES = ["direct", "fanout", "topic", "headers"];

export class Exchanges {
  private readonly exchanges = new Map<string, Exchange>();
  private bindings: Binding[] = [];

  declare(wanted: Exchange): void {
    const held = this.exchanges.get(wanted.name);
    if (!TYPES.includes(wanted.type)) throw new Refused(406, `invalid type '${wanted.type}'`);
    if (!held) this.exchanges.set(wanted.name, wanted);
    else if (
      held.type !== wanted.type ||
      held.durable !== wanted.durable ||
      JSON.stringify(held.arguments) !== JSON.stringify(wanted.arguments)
    )
      throw new Refused(406, `PRECONDITION_FAILED - inequivalent exchange '${wanted.name}'`);
  }

  find(name: string): Exchange {
    const found = this.exchanges.get(name);
    if (!found) throw new Refused(404, `NOT_FOUND - no exchange '${name}' in vhost '/'`);
    return found;
  }

  delete(name: string): void {
    this.exchanges.delete(name);
    this.bindings = this.bindings.filter(({ exchange }) => exchange !== name);
  }

  bind(exchange: string, queue: string, key: string, args: Table): void {
    this.find(exchange);
    const binding = { exchange, queue, key, arguments: args };
    if (!this.bindings.some((held) => same(held, binding))) this.bindings.push(binding);
  }

  unbind(exchange: string, queue: string, key: string, args: Table): void {
    const binding = { exchange, queue, key, arguments: args };
    this.bindings = this.bindings.filter((held) => !same(held, binding));
  }

  /** A deleted queue has no bindings. */
  forget(queue: string): void {
    this.bindings = this.bindings.filter((held) => held.queue !== queue);
  }

  /** The queues that a publication to the exchange reaches, each once; those in `exists`. */
  route(name: string, key: string, headers: Table, exists: (queue: string) => boolean): string[] {
    if (name === "") return exists(key) ? [key] : [];
    const seen = new Set<string>();
    for (let at: string | undefined = name; at !== undefined && !seen.has(at); ) {
      seen.add(at);
      const exchange = this.exchanges.get(at);
      if (!exchange) return [];
      const queues = this.matching(exchange, key, headers);
      if (queues.length > 0) return queues;
      at = exchange.alternate;
    }
    return [];
  }

  private matching({ name, type }: Exchange, key: string, headers: Table): string[] {
    const found = this.bindings.filter(
      (binding) => binding.exchange === name && matches(type, binding, key, headers),
    );
    return [...new Set(found.map(({ queue }) => queue))];
  }
}

function same(a: Binding, b: Binding): boolean {
  return (
    a.exchange === b.exchange &&
    a.queue === b.queue &&
    a.key === b.key &&
    JSON.stringify(a.arguments) === JSON.stringify(b.arguments)
  );
}

function matches(type: string, binding: Binding, key: string, headers: Table): boolean {
  switch (type) {
    case "direct":
      return binding.key === key;
    case "topic":
      return matchesTopic(binding.key.split("."), key.split("."));
    case "headers":
      return matchesHeaders(binding.arguments, headers);
    default:
      return true;
  }
}

/** `*` is one word, `#` any number of them. */
function matchesTopic(pattern: readonly string[], words: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return words.length === 0;
  if (first === "#")
    return words.some((_, at) => matchesTopic(rest, words.slice(at))) || matchesTopic(rest, []);
  return words.length > 0 && (first === "*" || first === words[0])
    ? matchesTopic(rest, words.slice(1))
    : false;
}

function matchesHeaders(wanted: Table, headers: Table): boolean {
  const tests = Object.entries(wanted).filter(([name]) => !name.startsWith("x-"));
  const fits = ([name, value]: [string, unknown]) => headers[name] === value;
  return wanted["x-match"] === "any" ? tests.some(fits) : tests.every(fits);
}
