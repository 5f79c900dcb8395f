// /shop and its files, and POST /shop/token, which makes its caller a buyer with a random name. A
// gateway without SLUICE_SHOP=yes has none of these.
import { type App, type AppParts, addressOf } from "../http/calls.ts";
import type { Shop } from "./open.ts";

const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
    "require-trusted-types-for 'script'; trusted-types 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-cache",
};

export function addShop(app: App, parts: AppParts, { files, visitors }: Shop): void {
  for (const [path, [type, text]] of Object.entries(files))
    app.get(path, (c) => c.body(text, 200, { ...HEADERS, "content-type": type }));
  app.post("/shop/token", async (c) =>
    c.json(await visitors.token(addressOf(parts, c), c.req.header("authorization"))),
  );
}
