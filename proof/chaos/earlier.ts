// The sources of an earlier release, taken from git: the newest tag, or a commit of some time ago.
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..", "..");
/** First parents to go back where nothing is tagged: into the release before. */
const COMMITS_BACK = "60";

/** Its revision; undefined outside a git repository, or in one with less history. */
export function earlierRevision(): string | undefined {
  const tag = git("describe", "--tags", "--abbrev=0", "HEAD^");
  return tag ?? git("rev-list", "--first-parent", `--skip=${COMMITS_BACK}`, "-1", "HEAD");
}

/** Writes the sources to a folder and returns the file of their command line client. */
export function earlierRelease(dir: string): string {
  const revision = earlierRevision();
  if (revision === undefined) throw new Error("there is no earlier release in this repository");
  const place = join(dir, "earlier");
  mkdirSync(place, { recursive: true });
  const archive = Bun.spawnSync(["git", "archive", revision], { cwd: ROOT });
  const unpacked = Bun.spawnSync(["tar", "-x", "-C", place], { stdin: archive.stdout });
  if (archive.exitCode !== 0 || unpacked.exitCode !== 0)
    throw new Error(`the sources of ${revision} could not be unpacked`);
  symlinkSync(join(ROOT, "node_modules"), join(place, "node_modules"));
  const cli = join(place, "cli", "cli.ts");
  if (!existsSync(cli)) throw new Error(`${revision} has no cli/cli.ts`);
  return cli;
}

function git(...words: readonly string[]): string | undefined {
  const run = Bun.spawnSync(["git", ...words], { cwd: ROOT, stderr: "ignore" });
  const text = run.stdout.toString().trim();
  return run.exitCode === 0 && text !== "" ? text : undefined;
}
