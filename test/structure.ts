// The rules of the source tree, as functions over its files: which directory may import which,
// which one alone uses a client library, how long files and lines may be, that imports form no
// circle, and which phrases are not used. Pure, so that tests can break the rules in invented
// files.
import { dirname, join, normalize } from "node:path";
import { at } from "../core/domain/at.ts";

/** Path from the project's root → text. */
export type Tree = ReadonlyMap<string, string>;

/**
 * The directories, each with those below it that it may import. Imports go one way:
 * domain ← core, broker, ledger ← gateway, consumers ← stubs, services ← proof ← bench ← cli.
 */
const BELOW_ROLES = ["core", "core/domain", "core/runtime", "broker", "ledger"];
const BELOW_PROOF = [...BELOW_ROLES, "consumers", "stubs", "services"];
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "core/domain": [],
  "core/runtime": ["core/domain"],
  core: ["core/domain", "core/runtime"],
  broker: ["core/domain", "core/runtime"],
  ledger: ["core/domain", "core/runtime"],
  gateway: BELOW_ROLES,
  consumers: BELOW_ROLES,
  stubs: [...BELOW_ROLES, "consumers"],
  services: BELOW_ROLES,
  proof: BELOW_PROOF,
  // The simulator wires all roles into a world of its own.
  "proof/simulate": [...BELOW_PROOF, "gateway", "proof", "cli/operator/dead-letters.ts"],
  // Traces of the specification are repeated on the simulator's stores.
  "proof/traces": [...BELOW_PROOF, "proof", "proof/simulate"],
  bench: [...BELOW_PROOF, "gateway", "proof"],
  cli: [...BELOW_PROOF, "gateway", "proof", "proof/simulate", "proof/traces", "bench"],
  deploy: BELOW_ROLES,
  // Clients are published alone.
  sdk: [],
};

const INNER_DIRECTORIES = [
  "core/domain",
  "core/runtime",
  "proof/simulate",
  "proof/traces",
] as const;

/** A client library, and the one folder that may use it. */
const SPEAKS_TO: Readonly<Record<string, string>> = {
  ioredis: "core",
  amqplib: "broker",
  hono: "gateway",
  valibot: "gateway",
  "@valibot": "gateway",
  "bun:sqlite": "ledger",
};
/** The example service stands for somebody else's system and has its own store. */
const STRANGERS = new Set(["stubs/fulfil/packing-list.ts bun:sqlite"]);
/** The peers are other people's systems, each with the clients that those would use. */
const PEERS = /^bench\/peers\//;
/** Bun's SQL client is one of many names in `bun`. */
const SQL_CLIENT = /import\s+(?:type\s+)?\{[^}]*\b(?:SQL|sql)\b[^}]*\}\s+from\s+"bun"/;

/**
 * Beyond this a file holds more than one idea. Test files repeat their set-up and may be longer.
 */
export const MAX_LINES = 375;
const MAX_TEST_LINES = 525;

/** Lines that are longer wrap in an editor with two panes, and in a review. */
export const MAX_COLUMNS = 100;
/** The ends of the names of the files that keep to the width. */
const KEEP_WIDTH = [
  ".ts",
  ".lua",
  ".qnt",
  ".js",
  ".css",
  ".html",
  ".md",
  ".yml",
  ".conf",
  ".mjs",
  ".py",
  "Dockerfile",
  ".dockerignore",
  "sluice",
  ".ci/run",
];
/** What benches print is not written by hand. */
const PRINTED = /^bench\/results\//;
/** A line of one word, such as an address or a pattern, cannot be broken. */
const ONE_WORD = /^\s*(?:(?:[-*#]|\/\/|--)\s+)?\S+$/;
/** Nor can a reference to an image; tools that renew digests look for it as a whole. */
const PINNED_IMAGE = /^\s*(?:FROM|image:) \S+@sha256:[0-9a-f]{64}(?: AS [a-z]+)?$/;

/** Phrases that read as translated, each with what the field's own documents say. */
const STIFF: readonly (readonly [phrase: RegExp, instead: string])[] = [
  [/\bnought\b/i, "zero"],
  [/\bmend(?:s|ed|ing)?\b/i, "fix, repair, heal"],
  [/\banew\b/i, "again"],
  [/\bshall\b/i, "must, will"],
  [/\bfor ever\b/i, "forever"],
  [/\bfor want of\b/i, "for lack of"],
  [/\bcannot be had\b/i, "is not available, cannot be fetched"],
  [/\bto try (?:it|things) with\b/i, "demo, stub, for trials"],
  [/\bturn(?:s|ed)? away\b/i, "reject, refuse, shed"],
  [/\b(?:that|those|ones) of before\b/i, "the earlier"],
  [/\ba (?:record|row|event|line|word) an? (?:line|row)\b/i, "one … per …"],
];
/** A document may name a word as a word. */
const CODE_SPAN = /`[^`\n]*`/g;

/** Tests, and files that only tests import, may import anything. */
const FOR_TESTS = /(^test\/)|\.test\.ts$|\.child\.ts$|(^|\/)testing\.ts$|(^|\/)test-[^/]*\.ts$/;

/** The platform's clocks, timers, randomness and ids: only the runtime may use them. */
const DIRECT = new RegExp(
  [
    /\bDate\.now\b|\bDate\(\)|\bnew Date\b(?!\()/,
    /\bperformance\.now\b|\bhrtime\b|\bBun\.nanoseconds\b/,
    /(?<![\w.])set(?:Timeout|Interval|Immediate)\b|\bnode:timers\b/,
    /\bBun\.(?:sleep|sleepSync)\b|\bAbortSignal\.timeout\b/,
    /\bMath\.random\b|\brandomUUID|\bgetRandomValues\b/,
    /\brandom(?:Int|Fill|FillSync)\b|\brandomBytes\b[^"\n]*"node:crypto"/,
  ]
    .map(({ source }) => source)
    .join("|"),
  "g",
);
/** Orders, rows and steps are read by names. Format 0 was read by position. */
const BY_POSITION = /(?<![.\w])(?:row|order|held|step|wait)\[\d+\]/g;
const FORMAT_0 = /^core\/domain\/rows-v0/;
/** `error.message` or a text made of an error, searched for words. */
const ERRORS = "(?:error|reason|cause|failure)";
const ERROR_TEXT = String.raw`(?:messageOf\(\w+\)|String\(${ERRORS}\)|\b${ERRORS}\.message)`;
const BY_TEXT = new RegExp(
  [
    String.raw`${ERROR_TEXT}\.(?:includes|startsWith|endsWith|match|search|indexOf)\(`,
    String.raw`/[gimsu]*\.test\(\s*(?:${ERROR_TEXT}|message\b)`,
  ].join("|"),
  "g",
);
/** Texts of ours: of a command run as a process; a setting's name, with which its error begins. */
const OWN_TEXT: ReadonlySet<string> = new Set(["cli/failure.ts", "proof/chaos/faults/workers.ts"]);
/** k6 scripts run in k6, not in Bun. */
const FOREIGN = /^bench\/k6\//;
/** What the runtime is to the product. */
const SDK_PLATFORM = "sdk/typescript/src/platform.ts";
/** Entry points of processes and threads, which pass the real runtime on. */
const WIRING = /^(?:bench|cli|deploy|proof|services)\/(?!roles\/)/;
const THREADS = new Set([
  "consumers/rebuild/snapshot-thread.ts",
  "ledger/reader-thread.ts",
  "ledger/thread.ts",
]);

/** Each broken rule as a line that names the file. */
export function violations(tree: Tree): string[] {
  const found: string[] = [];
  for (const [path, text] of tree) {
    found.push(...wideLines(path, text), ...wrongPython(path, text), ...stiff(path, text));
    if (!/\.(ts|lua)$/.test(path)) continue;
    const lines = text.split("\n").length - 1;
    const most = path.endsWith(".test.ts") ? MAX_TEST_LINES : MAX_LINES;
    if (lines > most) found.push(`${path}: ${lines} lines, at most ${most}`);
    if (path.endsWith(".test.ts") && !/\bexpect\(|\bexpect\./.test(text))
      found.push(`${path}: expects nothing`);
    if (FOR_TESTS.test(path)) continue;
    if (!FORMAT_0.test(path))
      for (const [place] of text.matchAll(BY_POSITION))
        found.push(`${path}: ${place} is read by position; give the field its name`);
    if (!path.endsWith(".ts")) continue;
    found.push(...wrongImports(path, text), ...wrongTime(path, text), ...byText(path, text));
  }
  return [...found, ...circles(tree)];
}

/** An error is judged by its code: texts change with versions, and a port may look like a code. */
function byText(path: string, text: string): string[] {
  if (OWN_TEXT.has(path) || FOREIGN.test(path)) return [];
  return [...text.matchAll(BY_TEXT)].map(
    ([place]) => `${path}: ${place} judges an error by its text; use its code`,
  );
}

function wideLines(path: string, text: string): string[] {
  if (PRINTED.test(path) || !KEEP_WIDTH.some((end) => path.endsWith(end))) return [];
  return text.split("\n").flatMap((line, at) => {
    const columns = [...line].length;
    if (columns <= MAX_COLUMNS || ONE_WORD.test(line) || PINNED_IMAGE.test(line)) return [];
    return [`${path}:${at + 1}: ${columns} columns, at most ${MAX_COLUMNS}`];
  });
}

function stiff(path: string, text: string): string[] {
  if (PRINTED.test(path)) return [];
  const prose = path.endsWith(".md") ? text.replaceAll(CODE_SPAN, "") : text;
  return STIFF.flatMap(([phrase, instead]) => {
    const found = phrase.exec(prose.replaceAll(/\n\s*(?:\*|\/\/|--|#)?\s*/g, " "));
    return found ? [`${path}: '${found[0]}' is stiff; say: ${instead}`] : [];
  });
}

function wrongImports(path: string, text: string): string[] {
  const from = partOf(path);
  const allowed = MAY_IMPORT[from];
  if (!allowed)
    return [
      `${path}: ${from === "" ? "the root" : `'${from}'`} is not part of the layout; ` +
        "see test/structure.ts",
    ];
  const found: string[] = [];
  for (const name of imports(text)) {
    if (name.startsWith(".")) {
      const target = resolve(path, name);
      if (FOR_TESTS.test(target)) found.push(`${path}: imports ${target}, which is for tests only`);
      else if (
        partOf(target) !== from &&
        !allowed.includes(partOf(target)) &&
        !allowed.includes(target)
      )
        found.push(`${path}: ${from} must not import ${target}`);
      continue;
    }
    const only = SPEAKS_TO[name.startsWith("bun:") ? name : at(name.split("/"), 0)];
    if (only && only !== from && !PEERS.test(path) && !STRANGERS.has(`${path} ${name}`))
      found.push(`${path}: only ${only} may import ${name}`);
  }
  if (from === "sdk")
    for (const name of imports(text))
      if (!name.startsWith("."))
        found.push(`${path}: sdk has no dependencies, but imports ${name}`);
  if (from !== "ledger" && !PEERS.test(path) && SQL_CLIENT.test(text))
    found.push(`${path}: only ledger may import SQL from bun`);
  return found;
}

/** What the Python client may import besides itself: the standard library and two packages. */
const PYTHON_MAY_IMPORT = new Set(
  (
    "__future__ aio_pika aiohttp asyncio base64 collections dataclasses email inspect json os " +
    "pathlib random re sys time typing urllib uuid"
  ).split(" "),
);

function wrongPython(path: string, text: string): string[] {
  if (!path.endsWith(".py")) return [];
  const names = [...text.matchAll(/^\s*(?:from\s+([\w]+)|import\s+([\w]+))/gm)];
  return names
    .map(([, from, name]) => from ?? name ?? "")
    .filter((name) => name !== "sluice_client" && !PYTHON_MAY_IMPORT.has(name))
    .map((name) => `${path}: must not import ${name}; see PYTHON_MAY_IMPORT`);
}

/**
 * Time and randomness come from the runtime that a part receives, so that a simulator can replace
 * it; only code that wires roles may name the real one.
 */
function wrongTime(path: string, text: string): string[] {
  if (path.startsWith("core/runtime/") || path === SDK_PLATFORM || FOREIGN.test(path)) return [];
  const code = text.replace(/^\s*(?:\/\/|\/?\*).*$/gm, "");
  const found = [...new Set(code.match(DIRECT))].map(
    (what) => `${path}: uses ${what}; time and randomness come from core/runtime/runtime.ts`,
  );
  if (/\brealRuntime\b/.test(code) && !WIRING.test(path) && !THREADS.has(path))
    found.push(`${path}: only code that wires roles may name the real runtime`);
  return found;
}

/** The part a file belongs to: its first folder, or one of the rooms within it. */
function partOf(path: string): string {
  for (const part of INNER_DIRECTORIES) if (path.startsWith(`${part}/`)) return part;
  return path.includes("/") ? at(path.split("/"), 0) : "";
}

/** All modules that a text imports, including types and lazy imports. */
function imports(text: string): string[] {
  return [...text.matchAll(/(?:^|[\s}*;(=])(?:from\s*|import\s*\(?\s*)"([^"\n]+)"/g)].map((match) =>
    at(match, 1),
  );
}

function resolve(path: string, name: string): string {
  return normalize(join(dirname(path), name));
}

/** Circles of imports, each reported once. Types and lazy `import()` do not close a circle. */
function circles(tree: Tree): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, above: readonly string[]): void => {
    const at = above.indexOf(path);
    if (at >= 0) found.push(`circle of imports: ${[...above.slice(at), path].join(" → ")}`);
    if (at >= 0 || done.has(path)) return;
    for (const name of loadedImports(tree.get(path) ?? ""))
      visit(resolve(path, name), [...above, path]);
    done.add(path);
  };
  for (const path of tree.keys()) visit(path, []);
  return found;
}

function loadedImports(text: string): string[] {
  const statements = [
    ...text.matchAll(/^(?:import|export)\s+(?!type\s)(?:[^"';]*?\sfrom\s+)?"(\.[^"\n]+)"/gm),
  ];
  return statements.map((match) => at(match, 1));
}
