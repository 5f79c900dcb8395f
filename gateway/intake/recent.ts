// A bounded map that forgets its oldest entries: when the younger half is full, the older half is
// dropped. Deleting the oldest entries one by one costs 80 µs per order, since a Map steps over
// every deleted entry (docs/decisions/0010-admission.md).

export class Recent<V> {
  private young = new Map<string, V>();
  private old = new Map<string, V>();

  constructor(
    private readonly max: number,
    private readonly onForgotten: (value: V) => void = () => undefined,
  ) {}

  get size(): number {
    return this.young.size + this.old.size;
  }

  set(key: string, value: V): void {
    if (this.young.size >= this.max / 2) {
      for (const forgotten of this.old.values()) this.onForgotten(forgotten);
      this.old = this.young;
      this.young = new Map();
    }
    this.young.set(key, value);
  }

  get(key: string): V | undefined {
    return this.young.get(key) ?? this.old.get(key);
  }

  delete(key: string): void {
    this.young.delete(key);
    this.old.delete(key);
  }
}
