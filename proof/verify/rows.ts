// Messages as the journal holds them, decoded independently from the documented format
// (core/domain/fields.ts): columns, or rows read by position in older journals. The decoder of the
// code under test is not used.

export interface Line {
  readonly sku: string;
  readonly qty: number;
}

/** An order as it was placed; of a skip its user, sale and number. */
export interface PlacedRow {
  readonly user: string;
  readonly id: string;
  readonly acceptedAtMs: number;
  readonly saleId: string;
  readonly seq: number;
  readonly currency: string;
  readonly lines: readonly Line[];
  readonly payment: string;
  readonly metadata: string;
  readonly maxTotal: number;
}

export interface JournalRow extends PlacedRow {
  /** `o` an order, `s` a skip; others change no order by themselves. */
  readonly kind: string;
}

/** Throws for what is no message. */
export function rowsIn(body: string): JournalRow[] {
  return rowsOf(JSON.parse(body));
}

/** The rows of a message that was parsed. */
export function rowsOf(message: unknown): JournalRow[] {
  if (Array.isArray(message)) return message.map(row0);
  const columns = message as Readonly<Record<string, readonly unknown[]>>;
  const names = columns.order as readonly string[];
  for (const name of PER_ROW)
    if (columns[name] && columns[name].length !== names.length)
      throw new Error(`${columns[name].length} values of ${name} for ${names.length} rows`);
  const kinds = String(columns.kind ?? "o".repeat(names.length));
  let line = 0;
  return names.map((name, i) => {
    const of = <T>(column: string, none: T) => (columns[column]?.[i] ?? none) as T;
    const space = name.indexOf(" ");
    const lines = linesFrom(columns, line, of("lines", 0));
    line += lines.length;
    return {
      kind: kinds.charAt(i),
      user: name.slice(0, space),
      id: name.slice(space + 1),
      acceptedAtMs: of("at", 0),
      saleId: of("sale", ""),
      seq: of("seq", 0),
      currency: of("currency", ""),
      lines,
      payment: of("payment", ""),
      metadata: of("metadata", ""),
      maxTotal: of("maxTotal", 0),
    };
  });
}

/** Columns with a value for every row. */
const PER_ROW = [
  ...["at", "sale", "seq", "currency", "lines", "payment", "metadata", "maxTotal"],
] as const;

function linesFrom(
  { sku = [], qty = [] }: Readonly<Record<string, readonly unknown[]>>,
  from: number,
  count: number,
): Line[] {
  return linesOf(sku.slice(from, from + count), qty.slice(from, from + count));
}

export function linesOf(sku: readonly unknown[], qty: readonly unknown[]): Line[] {
  return sku.map((name, i) => ({ sku: String(name), qty: Number(qty[i]) }));
}

/** A row of format 0; every kind has its first seven values in these places. */
export function row0(row: readonly unknown[]): JournalRow {
  const [kind, user, id, , acceptedAtMs, saleId, seq, ...order] = row;
  const [currency, flat, payment, metadata, maxTotal] = order;
  const lines = Array.isArray(flat) ? lines0(flat) : [];
  const placed = { user, id, acceptedAtMs, saleId, seq, currency, lines };
  return { kind, ...placed, payment, metadata, maxTotal } as JournalRow;
}

/** `[sku, qty, sku, qty, …]` */
export function lines0(flat: readonly unknown[]): Line[] {
  const skus = flat.filter((_, i) => i % 2 === 0);
  return linesOf(
    skus,
    flat.filter((_, i) => i % 2 === 1),
  );
}

export function linesText(lines: readonly Line[]): string {
  return lines.map(({ sku, qty }) => `${sku} ${qty}`).join(" ");
}
