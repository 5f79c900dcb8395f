// The parts of a paid order: its lines, divided by service. Each part is a row here and a message
// to the exchange `fulfilment`, routed by region and category.
import type { Entry, OrderStep } from "../core/domain/entry.ts";
import { type Part, partKeyOf, regionOfGateway, serviceOf } from "../core/domain/part.ts";
import type { Traceparent } from "../core/domain/trace.ts";
import { insertRows, type Runner } from "./db.ts";
import { readRoutes } from "./routes.ts";
import { type Sheet, send, traced } from "./sheet.ts";
import { append, PARTS } from "./sheet-rows.ts";

interface Share {
  readonly routingKey: string;
  /** Empty while no route names one. */
  readonly service: string;
  readonly lines: Part["lines"][number][];
}

/** What services receive besides the lines. */
interface Extras {
  readonly metadata: string;
  /** Empty if there is none. */
  readonly trace: Traceparent;
}

/** Reads what addParts needs, if any order is paid. */
export async function prepareParts(
  tx: Runner,
  sheet: Sheet,
  entries: readonly Entry[],
): Promise<void> {
  const sales = new Set<string>();
  for (const { steps } of entries)
    for (const step of steps) if (step.what === "paid") sales.add((step as OrderStep).saleId);
  if (sales.size === 0) return;
  sheet.routes = await readRoutes(tx);
  await sheet.prices.require(tx, sales);
}

export function addParts(sheet: Sheet, entry: Entry, step: OrderStep, of: Extras): void {
  const { user, id, generation, gateway, saleId } = step;
  const region = regionOfGateway(gateway);
  const shares = sharesOf(sheet, region, step);
  shares.forEach(({ routingKey, service, lines }, i) => {
    const [part, parts] = [i + 1, shares.length];
    append(sheet.parts, PARTS, {
      usr: user,
      id,
      generation,
      part,
      parts,
      routing_key: routingKey,
      service,
      status: "waiting",
      lines: JSON.stringify(lines),
    });
    const about = {
      user,
      id,
      saleId,
      generation,
      part,
      of: parts,
      shard: entry.shard,
      region,
      lines,
    };
    const message: Part = { ...about, metadata: of.metadata, ...traced(of.trace) };
    send(sheet, entry.shard, "fulfilment", routingKey, message);
  });
}

/** Groups lines by service, and lines without a route by category. */
function sharesOf(sheet: Sheet, region: string, { saleId, lines }: OrderStep): Share[] {
  const { routes, prices } = sheet;
  if (!routes) throw new Error("parts were not prepared");
  const shares = new Map<string, Share>();
  for (const { sku, qty } of lines) {
    const category = prices.category(saleId, sku);
    const service = serviceOf(routes, region, category) ?? "";
    const whose = service === "" ? ` ${category}` : service;
    const share = shares.get(whose) ?? {
      routingKey: partKeyOf(region, category),
      service,
      lines: [],
    };
    shares.set(whose, share);
    share.lines.push({ sku, qty, category });
  }
  return [...shares.values()];
}

/** Inserts parts first, then applies steps: one entry may pay and cancel an order. */
export async function writeParts(tx: Runner, sheet: Sheet): Promise<void> {
  await insertRows(tx, "parts", PARTS, sheet.parts);
  for (const step of sheet.partSteps) await moveParts(tx, step);
}

/** Records a claimed or finished part, or cancels all parts of a cancelled order. */
async function moveParts(
  tx: Runner,
  { what: status, user, id, generation, detail }: OrderStep,
): Promise<void> {
  if (status === "cancelled") {
    await tx.run(
      "UPDATE parts SET status = 'cancelled' WHERE id = ? AND usr = ? AND generation = ?",
      [id, user, generation],
    );
    return;
  }
  const [part = "", , service = ""] = detail.split(" ");
  const key = [id, user, generation, Number(part)];
  await tx.run(
    `UPDATE parts SET status = ?, service = ?
     WHERE id = ? AND usr = ? AND generation = ? AND part = ?`,
    [status, service, ...key],
  );
}
