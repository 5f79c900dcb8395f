// For the launcher. Exits with 0 if node_modules has every package that Sluice runs with, each in
// the locked version: what `npm ci --omit=dev` leaves on a production machine.
import { existsSync, readFileSync } from "node:fs";

interface Locked {
  readonly packages: Readonly<
    Record<
      string,
      { readonly version?: string; readonly dev?: boolean; readonly optional?: boolean }
    >
  >;
}

const read = (file: string) => (JSON.parse(readFileSync(file, "utf8")) as Locked).packages;

/** npm writes this list when it has installed all of it. */
const INSTALLED = "node_modules/.package-lock.json";

function complete(): boolean {
  if (!existsSync(INSTALLED)) return false;
  const installed = read(INSTALLED);
  return Object.entries(read("package-lock.json")).every(
    ([path, { version, dev, optional }]) =>
      path === "" || dev || optional || installed[path]?.version === version,
  );
}

process.exit(complete() ? 0 : 1);
