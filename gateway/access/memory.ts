// What is remembered by a stranger's text: bounded by number and by characters, since strangers
// choose how long it is. The oldest is forgotten first.

export class Memory<V> {
  private readonly values = new Map<string, V>();
  private chars = 0;

  constructor(
    private readonly maxEntries: number,
    private readonly maxChars: number,
  ) {}

  get size(): number {
    return this.values.size;
  }

  get(key: string): V | undefined {
    return this.values.get(key);
  }

  set(key: string, value: V): void {
    this.delete(key);
    this.values.set(key, value);
    this.chars += key.length;
    while (this.values.size > this.maxEntries || this.chars > this.maxChars) {
      const [oldest] = this.values.keys();
      if (oldest === undefined) return;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    if (this.values.delete(key)) this.chars -= key.length;
  }
}
