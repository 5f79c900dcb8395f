// Builds the folder of the Dockerfile's last stage without a container engine: follows its COPY
// lines under .dockerignore. Links to this checkout's production packages replace the other
// stage's.
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

export interface Instruction {
  readonly word: string;
  readonly rest: string;
}

export interface Image {
  /** The folder in place of WORKDIR. */
  readonly dir: string;
  readonly entrypoint: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** A Dockerfile's instructions by stage. */
export function readStages(text: string): Instruction[][] {
  const stages: Instruction[][] = [];
  const lines = text.replaceAll("\\\n", " ").split("\n");
  for (const line of lines.filter((l) => l.trim() !== "" && !l.startsWith("#"))) {
    const [word = "", ...words] = line.split(" ");
    if (word === "FROM") stages.push([]);
    stages.at(-1)?.push({ word, rest: words.join(" ") });
  }
  return stages;
}

/** Sources and target of a COPY from the checkout; undefined if it copies from another stage. */
export function copied({ rest }: Instruction): { sources: string[]; target: string } | undefined {
  if (rest.startsWith("--from=")) return undefined;
  if (rest.startsWith("-") || rest.startsWith("["))
    throw new Error(`COPY ${rest}: a form unknown to this reader`);
  const words = rest.split(/ +/);
  return { sources: words.slice(0, -1), target: words.at(-1) as string };
}

/**
 * Whether .dockerignore excludes a path: the last line that matches it or a folder above decides.
 */
export function ignores(text: string, path: string): boolean {
  const parts = path.split("/");
  const paths = parts.map((_, i) => parts.slice(0, i + 1).join("/"));
  let ignored = false;
  for (const line of text.split("\n").filter((l) => l.trim() !== "" && !l.startsWith("#"))) {
    const kept = line.startsWith("!");
    const glob = new Bun.Glob(line.slice(kept ? 1 : 0).trim());
    if (paths.some((p) => glob.match(p))) ignored = !kept;
  }
  return ignored;
}

export function buildImage(root: string, dir: string): Image {
  const dockerfile = readFileSync(join(root, "Dockerfile"), "utf8");
  const stage = readStages(dockerfile).at(-1) ?? [];
  const ignore = readFileSync(join(root, ".dockerignore"), "utf8");
  const workdir = the(stage, "WORKDIR");
  for (const instruction of stage.filter(({ word }) => word === "COPY")) {
    const copy = copied(instruction);
    if (copy) for (const source of copy.sources) take(root, source, dir, copy.target, ignore);
    else if (instruction.rest === `--from=packages ${workdir}/node_modules node_modules`)
      linkPackages(root, dir, packagesRemoved(dockerfile));
    else throw new Error(`COPY ${instruction.rest}: only the packages may come from another stage`);
  }
  const environment = the(stage, "ENV")
    .split(" ")
    .map((pair) => pair.split("=") as [string, string]);
  const here = (value: string) =>
    value.replaceAll(workdir, dir).replaceAll("$PATH", process.env.PATH ?? "");
  return {
    dir,
    entrypoint: JSON.parse(the(stage, "ENTRYPOINT")),
    environment: Object.fromEntries(environment.map(([name, value]) => [name, here(value)])),
  };
}

function the(stage: readonly Instruction[], word: string): string {
  const found = stage.filter((instruction) => instruction.word === word);
  if (found.length !== 1) throw new Error(`the last stage has ${found.length} × ${word}`);
  return found[0]?.rest as string;
}

/**
 * A folder's content is copied into the target; a file to the target, or into it if it ends in a
 * slash.
 */
function take(root: string, source: string, dir: string, target: string, ignore: string): void {
  const from = join(root, source);
  if (statSync(from).isDirectory()) {
    for (const name of readdirSync(from))
      take(root, join(source, name), dir, join(target, name), ignore);
    return;
  }
  if (ignores(ignore, source)) return;
  const to = join(dir, target.endsWith("/") ? join(target, basename(source)) : target);
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to);
}

/** Folders of packages that another stage removes after its `npm ci`. */
function packagesRemoved(dockerfile: string): string[] {
  const removals = dockerfile.matchAll(/rm -rf((?: node_modules\/\S+)+)/g);
  return [...removals].flatMap(([, paths = ""]) => paths.trim().split(" "));
}

/**
 * The packages of `npm ci --omit=dev`. The lock file also lists those for other platforms, which
 * are not on this disk.
 */
function linkPackages(root: string, dir: string, removed: readonly string[]): void {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { dev?: boolean }>;
  };
  const wanted = Object.keys(lock.packages).filter(
    (path) =>
      path !== "" &&
      !lock.packages[path]?.dev &&
      !removed.some((gone) => path === gone || path.startsWith(`${gone}/`)) &&
      existsSync(join(root, path)),
  );
  for (const path of [...wanted, "node_modules/.bin/bun"]) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    symlinkSync(join(root, path), join(dir, path));
  }
}
