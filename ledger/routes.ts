// Routes: which service gets the parts of a category. Operators change them through operations.ts;
// this table has the present ones.
import type { Route } from "../core/domain/part.ts";
import type { Db, Runner } from "./db.ts";

/** `region category` → service; the region is empty for a route of all regions. */
export async function readRoutes(tx: Runner): Promise<Map<string, string>> {
  const rows = await tx.run("SELECT category, region, service FROM routes WHERE service <> ''");
  return new Map(rows.map((r) => [`${r.region} ${r.category}`, String(r.service)]));
}

export async function routes(db: Db): Promise<Route[]> {
  const rows = await db.run(
    "SELECT category, region, service FROM routes WHERE service <> '' ORDER BY category, region",
  );
  return rows.map((r) => ({
    category: String(r.category),
    region: String(r.region),
    service: String(r.service),
  }));
}

/** Every service that ever had a route for a category: its queue may still be bound to it. */
export async function formerRoutes(db: Db): Promise<{ category: string; service: string }[]> {
  const found = new Map<string, { category: string; service: string }>();
  for (const r of await db.run(
    'SELECT operation FROM operations WHERE operation LIKE \'%"kind":"route"%\'',
  )) {
    const { kind, category, service } = JSON.parse(String(r.operation)) as {
      kind: string;
      category: string;
      service: string;
    };
    if (kind === "route" && service !== "")
      found.set(`${category} ${service}`, { category, service });
  }
  return [...found.values()];
}

export async function setRoute(tx: Runner, { category, region, service }: Route): Promise<void> {
  await tx.run(
    `INSERT INTO routes (category, region, service) VALUES (?, ?, ?)
     ON CONFLICT (category, region) DO UPDATE SET service = excluded.service`,
    [category, region, service],
  );
}
