// The shop at /shop, to try the product with: its page's files, and tokens for its visitors. The
// page uses the client library of sdk/typescript, bundled here as any shop would bundle it. Nothing
// is loaded from elsewhere, and nothing inline runs.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { SettingError } from "../../core/settings/settings.ts";
import type { AuthOptions } from "../access/auth.ts";
import type { GatewayLimits } from "../intake/limits.ts";
import { Visitors } from "./visitors.ts";

export interface Shop {
  readonly visitors: Visitors;
  /** Path → content type and text. */
  readonly files: Readonly<Record<string, readonly [type: string, text: string]>>;
}

export interface ShopOptions {
  readonly runtime: Runtime;
  /** Wall ms, as tokens are judged by. */
  readonly clock: () => number;
  readonly auth: AuthOptions;
  readonly limits: Pick<GatewayLimits, "visitors">;
}

const HERE = import.meta.dir;
const CLIENT = join(HERE, "..", "..", "sdk", "typescript", "src", "index.ts");
const SCRIPT = "text/javascript; charset=utf-8";
const PAGE = "text/html; charset=utf-8";
const SHEET = "text/css; charset=utf-8";

/** Rejects with a SettingError if this gateway cannot have a shop. */
export async function openShop(options: ShopOptions): Promise<Shop> {
  const { runtime, clock, auth, limits } = options;
  if (auth.key.kind !== "secret")
    throw new SettingError(
      "SLUICE_SHOP=yes signs tokens for visitors, which needs SLUICE_JWT_ALGORITHM=HS256 and " +
        "SLUICE_JWT_SECRET",
    );
  const visitors = new Visitors({ runtime, clock, auth, secret: auth.key.secret, limits });
  return { visitors, files: await files() };
}

async function files(): Promise<Shop["files"]> {
  const read = (name: string): string => readFileSync(join(HERE, name), "utf8");
  const plain = new Bun.Transpiler({ loader: "ts" });
  const scripts = ["app", "cart", "dom", "items", "orders", "ordering", "store"].map(
    (name) => [`/shop/${name}.js`, [SCRIPT, read(`${name}.js`)]] as const,
  );
  const typed = ["money", "words"].map(
    (name) => [`/shop/${name}.js`, [SCRIPT, plain.transformSync(read(`${name}.ts`))]] as const,
  );
  return {
    "/shop": [PAGE, read("page.html")],
    "/shop/style.css": [SHEET, read("style.css")],
    ...Object.fromEntries([...scripts, ...typed]),
    "/shop/sluice.js": [SCRIPT, await client()],
  };
}

/** The client library as one module. */
async function client(): Promise<string> {
  if (!existsSync(CLIENT)) throw new SettingError(`SLUICE_SHOP=yes needs ${CLIENT}`);
  const built = await Bun.build({ entrypoints: [CLIENT], target: "browser", format: "esm" });
  const [module] = built.outputs;
  if (!built.success || !module) throw new Error(`the shop's client: ${built.logs.join("; ")}`);
  return module.text();
}
