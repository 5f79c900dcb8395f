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

export class QuintMap {
  constructor(readonly byKey: ReadonlyMap<Key, readonly [Value, Value]>) {}

  static of(pairs: Iterable<readonly [Value, Value]>): QuintMap {
    const byKey = new Map<Key, readonly [Value, Value]>();
    for (const [key, value] of pairs) byKey.set(keyOf(key), [key, value]);
    return new QuintMap(byKey);
  }

  get(key: Value): Value {
    const pair = this.byKey.get(keyOf(key));
    if (!pair) throw new Error(`the map has no ${textOf(key)}`);
    return pair[1];
  }

  put(key: Value, value: Value): QuintMap {
    return new QuintMap(new Map(this.byKey).set(keyOf(key), [key, value]));
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
