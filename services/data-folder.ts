// The data folder of a machine's Sluice: secrets, the default ledger, private services. Only its
// user may look into it, and it is not for version control.
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const OWNER_ONLY = 0o700;

/**
 * Creates the folder. One that exists keeps its mode unless an earlier Sluice made it: it may be a
 * folder that others use too. Whatever is created below is the user's alone (`umask`).
 */
export function openDataFolder(dir: string): void {
  process.umask(0o077);
  const ours = !existsSync(dir) || existsSync(join(dir, "jwt-secret"));
  mkdirSync(dir, { recursive: true, mode: OWNER_ONLY });
  if (ours) chmodSync(dir, OWNER_ONLY);
  const ignored = join(dir, ".gitignore");
  if (!existsSync(ignored)) writeFileSync(ignored, "*\n");
}
