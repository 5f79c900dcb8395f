// Quint's built-in operators that the specification uses, by name.
import { equal, keyOf, QuintMap, QuintSet, type Value } from "./values.ts";

type Fn = (...args: Value[]) => Value;
type List = readonly Value[];

const values = (set: Value) => (set as QuintSet).byKey.values();
const int = (value: Value) => value as number;
const list = (value: Value) => value as List;
const call = (fn: Value, ...args: Value[]) => (fn as Fn)(...args);
const holds = (fn: Value, value: Value) => call(fn, value) === true;

function some<T>(items: Iterable<T>, test: (item: T) => boolean): boolean {
  for (const item of items) if (test(item)) return true;
  return false;
}

function fold(items: Iterable<Value>, from: Value, fn: Value): Value {
  let value = from;
  for (const item of items) value = call(fn, value, item);
  return value;
}

function numbers(from: number, end: number): Value[] {
  return Array.from({ length: Math.max(0, end - from) }, (_, i) => from + i);
}

function nth(items: List, at: number): Value {
  const item = items[at];
  if (item === undefined) throw new Error(`the list has no item ${at}`);
  return item;
}

function product([first = QuintSet.of([]), ...rest]: Value[]): Value[][] {
  const tails = rest.length === 0 ? [[]] : product(rest);
  return [...values(first)].flatMap((head) => tails.map((tail) => [head, ...tail]));
}

function onlyElement(set: Value): Value {
  const [only, another] = values(set);
  if (only === undefined || another !== undefined) throw new Error("the set has not one element");
  return only;
}

/** Operators whose arguments are values. Those with lazy arguments are in compile.ts. */
export const BUILTINS: Readonly<Record<string, Fn>> = {
  Set: (...items) => QuintSet.of(items),
  List: (...items) => items,
  Tup: (...items) => items,
  Map: (...pairs) => QuintMap.of(pairs as unknown as [Value, Value][]),
  not: (a) => a !== true,
  eq: equal,
  neq: (a, b) => !equal(a as Value, b as Value),
  iadd: (a, b) => int(a as Value) + int(b as Value),
  isub: (a, b) => int(a as Value) - int(b as Value),
  iuminus: (a) => -int(a as Value),
  ilt: (a, b) => int(a as Value) < int(b as Value),
  ilte: (a, b) => int(a as Value) <= int(b as Value),
  igt: (a, b) => int(a as Value) > int(b as Value),
  igte: (a, b) => int(a as Value) >= int(b as Value),
  item: (tuple, at) => nth(list(tuple as Value), int(at as Value) - 1),
  nth: (items, at) => nth(list(items as Value), int(at as Value)),
  head: (items) => nth(list(items as Value), 0),
  tail: (items) => list(items as Value).slice(1),
  slice: (items, from, end) => list(items as Value).slice(int(from as Value), int(end as Value)),
  length: (items) => list(items as Value).length,
  append: (items, item) => [...list(items as Value), item as Value],
  concat: (a, b) => [...list(a as Value), ...list(b as Value)],
  indices: (items) => QuintSet.of(numbers(0, list(items as Value).length)),
  range: (from, end) => numbers(int(from as Value), int(end as Value)),
  replaceAt: (items, at, item) =>
    list(items as Value).map((old, i) => (i === at ? (item as Value) : old)),
  select: (items, fn) => list(items as Value).filter((item) => holds(fn as Value, item)),
  foldl: (items, from, fn) => fold(list(items as Value), from as Value, fn as Value),
  fold: (set, from, fn) => fold(values(set as Value), from as Value, fn as Value),
  to: (from, end) => QuintSet.of(numbers(int(from as Value), int(end as Value) + 1)),
  tuples: (...sets) => QuintSet.of(product(sets)),
  contains: (set, item) => (set as QuintSet).byKey.has(keyOf(item as Value)),
  in: (item, set) => (set as QuintSet).byKey.has(keyOf(item as Value)),
  subseteq: (a, b) => !some((a as QuintSet).byKey.keys(), (k) => !(b as QuintSet).byKey.has(k)),
  union: (a, b) => new QuintSet(new Map([...(a as QuintSet).byKey, ...(b as QuintSet).byKey])),
  exclude: (a, b) =>
    new QuintSet(
      new Map([...(a as QuintSet).byKey].filter(([key]) => !(b as QuintSet).byKey.has(key))),
    ),
  size: (set) => (set as QuintSet).byKey.size,
  exists: (set, fn) => some(values(set as Value), (item) => holds(fn as Value, item)),
  forall: (set, fn) => !some(values(set as Value), (item) => !holds(fn as Value, item)),
  map: (set, fn) => QuintSet.of([...values(set as Value)].map((item) => call(fn as Value, item))),
  filter: (set, fn) =>
    new QuintSet(
      new Map([...(set as QuintSet).byKey].filter(([, item]) => holds(fn as Value, item))),
    ),
  mapBy: (set, fn) =>
    QuintMap.of([...values(set as Value)].map((item) => [item, call(fn as Value, item)] as const)),
  getOnlyElement: (set) => onlyElement(set as Value),
  hasKey: (map, key) => (map as QuintMap).has(key as Value),
  get: (map, key) => (map as QuintMap).get(key as Value),
  put: (map, key, value) => (map as QuintMap).put(key as Value, value as Value),
  set: (map, key, value) => {
    (map as QuintMap).get(key as Value); // Quint refuses a key that is not there
    return (map as QuintMap).put(key as Value, value as Value);
  },
  setBy: (map, key, fn) => {
    const before = (map as QuintMap).get(key as Value);
    return (map as QuintMap).put(key as Value, call(fn as Value, before));
  },
  keys: (map) => QuintSet.of([...(map as QuintMap).byKey.values()].map(([key]) => key)),
};
