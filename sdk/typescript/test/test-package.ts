// The package as npm would publish it, in a folder of its own.
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { testDir } from "../../../test/services.ts";

const PACKAGE = join(import.meta.dir, "..");
const BIN = join(PACKAGE, "..", "..", "node_modules", ".bin");

export interface Package {
  /** Its `node_modules` has the package and nothing else. */
  readonly dir: string;
  /** What npm would publish. */
  readonly files: readonly string[];
}

/** Packs a copy, so that the build leaves nothing in the source tree. */
export async function packed(): Promise<Package> {
  const dir = testDir("package");
  const copy = join(dir, "copy");
  for (const name of ["package.json", "tsconfig.json", "README.md", "LICENSE", "src"])
    cpSync(join(PACKAGE, name), join(copy, name), { recursive: true });
  const pack = ["npm", "pack", "--dry-run", "--json"];
  await run(copy, {}, ...pack); // with the build, whose output hides the report
  const files = filesOf(await run(copy, {}, ...pack, "--ignore-scripts"));
  const installed = join(dir, "node_modules", "@sluice", "client");
  mkdirSync(installed, { recursive: true });
  for (const file of files) cpSync(join(copy, file), join(installed, file));
  return { dir, files };
}

export const readme = (): string => readFileSync(join(PACKAGE, "README.md"), "utf8");
export const manifest = (): Record<string, unknown> =>
  JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8"));

/** What a command prints; it must succeed. */
export async function run(
  cwd: string,
  env: Record<string, string>,
  ...command: string[]
): Promise<string> {
  const path = `${BIN}:${process.env.PATH}`;
  const child = Bun.spawn(command, {
    ...{ cwd, stderr: "pipe" as const },
    env: { ...process.env, PATH: path, ...env },
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`${command.join(" ")} exited with ${code}: ${out}${err}`);
  return out;
}

/** Some versions of npm report a list, others an object by name. */
function filesOf(report: string): string[] {
  const [first] = Object.values(
    JSON.parse(report) as Record<string, { files: { path: string }[] }>,
  );
  return (first?.files ?? []).map(({ path }) => path);
}
