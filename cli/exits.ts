// The exit codes of the command line. docs/reference/cli.md lists them.

/** The arguments are wrong; nothing was done. The shells' convention. */
export const EXIT_USAGE = 2;
/** EX_UNAVAILABLE of sysexits.h. */
export const EXIT_UNAVAILABLE = 69;
/** 128 + SIGINT, the shells' convention. */
export const EXIT_INTERRUPTED = 130;
/** 128 + SIGPIPE, likewise. */
export const EXIT_CLOSED_PIPE = 141;

/** Of every command, unless it says otherwise itself. */
export const EXITS: Readonly<Record<number, string>> = {
  0: "done",
  1: "failed, or not found",
  [EXIT_USAGE]: "wrong usage: nothing was done",
  [EXIT_UNAVAILABLE]:
    "nothing is running here, a store or a gateway does not answer, or a value is unknown",
  [EXIT_INTERRUPTED]: "interrupted by Ctrl-C",
  [EXIT_CLOSED_PIPE]: "the reader of the output has gone, as in 'sluice dead | head -1'",
};

/** What some commands' codes mean instead. */
export const OWN_EXITS: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  doctor: { 0: "nothing fails; there may be warnings", 1: "something fails" },
  verify: {
    0: "no invariant is violated, as far as it was checked",
    1: "an invariant is violated",
    2: "inconclusive: the system did not come to rest; or wrong usage",
  },
  demo: {
    0: "every invariant holds",
    1: "an invariant is violated",
    2: "not everything was decided in time; or wrong usage",
  },
  simulate: { 0: "no seed broke a promise", 1: "a seed broke one" },
  chaos: { 0: "every invariant holds", 1: "one is violated, or a fault left no evidence" },
  protocol: { 0: "the specification allows it", 1: "it does not" },
  check: { 0: "no problem was found", 1: "a problem was found" },
  "check-history": {
    0: "no promise was broken",
    1: "a promise was broken",
    2: "inconclusive; or wrong usage",
    3: "no result: Go is missing, or a file cannot be read",
  },
  "dead redrive": { 0: "every match was sent again", 1: "some were left, or none matched" },
  "dead drop": { 0: "every match was dropped", 1: "some were left, or none matched" },
};

/** The codes of a command, by its path, such as `dead redrive`. */
export function exitsOf(path: string): Readonly<Record<number, string>> {
  return { ...EXITS, ...OWN_EXITS[path] };
}
