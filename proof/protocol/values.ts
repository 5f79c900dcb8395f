// The values of a Quint specification. Integers, booleans and strings are JavaScript's; a tuple or
// a list is an array, a record an object. Nothing is changed once it is made.

export type Value =
  | number
  | boolean
  | string
  | readonly Value[]
  | QuintSet
  | QuintMap
  | { readonly [field: string]: Value }
  | ((...args: never[]) => Value);

/** Primitives are their own key. Other values have their text, in which equal values are equal. */
export type Key = number | string | boolean;

export class QuintSet {
  constructor(readonly byKey: ReadonlyMap<Key, Value>) {}

  static of(values: Iterable<Value>): QuintSet {
    const byKey = new Map<Key, Value>();
    for (const value of values) byKey.set(keyOf(value), value);
    return new QuintSet(byKey);
  }
}

type Pair = readonly [Value, Value];

/** From this size on, a map shares its content with the map that it was made from. */
const SHARED_FROM = 32;

/**
 * Small maps are copied. Of large ones that follow from each other only one holds the content, the
 * one that was used last; each other knows in which key it differs from its neighbour. Without
 * that, a journal of n orders would take n² steps.
 */
export class QuintMap {
  private content: Map<Key, Pair> | undefined;
  private differs: { readonly key: Key; readonly pair: Pair | undefined; readonly from: QuintMap };

  constructor(byKey: ReadonlyMap<Key, Pair>) {
    this.content = byKey as Map<Key, Pair>;
    this.differs = { key: "", pair: undefined, from: this };
  }

  static of(pairs: Iterable<Pair>): QuintMap {
    const byKey = new Map<Key, Pair>();
    for (const [key, value] of pairs) byKey.set(keyOf(key), [key, value]);
    return new QuintMap(byKey);
  }

  get byKey(): ReadonlyMap<Key, Pair> {
    return this.content ?? this.fetched();
  }

  get(key: Value): Value {
    const pair = this.byKey.get(keyOf(key));
    if (!pair) throw new Error(`the map has no ${textOf(key)}`);
    return pair[1];
  }

  has(key: Value): boolean {
    return this.byKey.has(keyOf(key));
  }

  put(key: Value, value: Value): QuintMap {
    const byKey = this.byKey as Map<Key, Pair>;
    if (byKey.size < SHARED_FROM) return new QuintMap(new Map(byKey).set(keyOf(key), [key, value]));
    const name = keyOf(key);
    const pair = byKey.get(name);
    const next = new QuintMap(byKey.set(name, [key, value]));
    this.differs = { key: name, pair, from: next };
    this.content = undefined;
    return next;
  }

  /** Takes the content over from the map that holds it, change by change. */
  private fetched(): ReadonlyMap<Key, Pair> {
    const way: QuintMap[] = [];
    let holder: QuintMap = this;
    for (; !holder.content; holder = holder.differs.from) way.push(holder);
    for (const map of way.reverse()) {
      const content = holder.content as Map<Key, Pair>;
      const { key, pair } = map.differs;
      holder.differs = { key, pair: content.get(key), from: map };
      holder.content = undefined;
      if (pair) content.set(key, pair);
      else content.delete(key);
      map.content = content;
      holder = map;
    }
    return this.content as unknown as ReadonlyMap<Key, Pair>;
  }
}

export function keyOf(value: Value): Key {
  if (typeof value !== "object") return value as Key;
  // Most composite keys are pairs of names and numbers.
  if (isList(value) && value.every((item) => typeof item !== "object")) return value.join(" ");
  return textOf(value);
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** Equal values have equal texts, whatever the order in which they were made. */
export function textOf(value: Value): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value !== "object") return String(value);
  if (isList(value)) return `[${value.map(textOf).join(",")}]`;
  if (value instanceof QuintSet)
    return `{${[...value.byKey.values()].map(textOf).sort().join(",")}}`;
  if (value instanceof QuintMap)
    return `<${[...value.byKey.values()].map(textOf).sort().join(",")}>`;
  const fields = Object.keys(value).sort();
  return `(${fields.map((field) => `${field}:${textOf(fieldOf(value, field))}`).join(",")})`;
}

export function fieldOf(record: Value, field: string): Value {
  return (record as { readonly [field: string]: Value })[field] as Value;
}

export function equal(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object") return false;
  if (isList(a)) return isList(b) && a.length === b.length && a.every((v, i) => same(v, b[i]));
  if (a instanceof QuintSet) return b instanceof QuintSet && sameKeys(a.byKey, b.byKey);
  if (a instanceof QuintMap) {
    if (!(b instanceof QuintMap) || !sameKeys(a.byKey, b.byKey)) return false;
    return [...a.byKey].every(([key, [, value]]) => same(value, b.byKey.get(key)?.[1]));
  }
  return Object.keys(a).every((field) => same(fieldOf(a, field), fieldOf(b, field)));
}

function same(a: Value, b: Value | undefined): boolean {
  return b !== undefined && equal(a, b);
}

function sameKeys(a: ReadonlyMap<Key, unknown>, b: ReadonlyMap<Key, unknown>): boolean {
  return a.size === b.size && [...a.keys()].every((key) => b.has(key));
}
