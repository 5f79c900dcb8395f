// /v1/admin/dead: list, show, redrive and drop dead letters of every region. Each call is audited
// with its subject.
import type { Context } from "hono";
import { and } from "../../core/domain/finding-words.ts";
import { subjectOf } from "../../core/domain/user-name.ts";
import { type App, type AppParts, type Env, jsonOf } from "../http/calls.ts";
import { type Problem, problem, Refused } from "../http/problem.ts";
import {
  boolean,
  line,
  list,
  matching,
  object,
  optional,
  read,
  whole,
  wholeText,
} from "../http/shape.ts";
import type { LetterFilter } from "../ports.ts";

const MAX_BODY_BYTES = 16_384;
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 10_000;
/** Letters chosen one by one; each call walks the queues once. */
const MAX_CHOSEN = 500;

const FILTERS = {
  queue: optional(line("Letters of one queue")),
  reason: optional(line("Letters whose reason contains this")),
  user: optional(line("Letters about a user's orders")),
};
const LETTER_ID = matching(/^[0-9a-f]{8}$/, "a letter's id: eight hex digits");
export const LETTERS_QUERY = object({
  ...FILTERS,
  limit: optional(wholeText(1, MAX_LIMIT, "Letters to read in each queue; default 100")),
});
export const LETTERS_CHOSEN = object({
  ...FILTERS,
  ids: optional(list(LETTER_ID, 1, MAX_CHOSEN, "These letters alone")),
  all: optional(boolean("Every letter; required without a filter")),
  limit: optional(whole(1, MAX_LIMIT, "Letters to read in each queue")),
});

export function addAdminDead(app: App, { options }: AppParts): void {
  const letters = () => {
    const found = options.operator?.letters;
    if (!found)
      throw new Refused(
        problem("not_found", undefined, "this gateway has no access to the dead letters"),
      );
    return found;
  };

  app.get("/v1/admin/dead", async (c) => {
    const { limit = DEFAULT_LIMIT, ...filter } = read(LETTERS_QUERY, c.req.query());
    const listed = await letters().list(filter, limit);
    return c.json({ ...listed, letters: listed.letters.map(shown) });
  });

  app.get("/v1/admin/dead/:id", async (c) => {
    const { letters: all, unasked } = await letters().list({ id: c.req.param("id") }, MAX_LIMIT);
    const [found] = all;
    if (!found) throw new Refused(noLetter(unasked));
    return c.json(shown(found) as Record<string, unknown>);
  });

  for (const what of ["redrive", "drop"] as const) {
    const deal = async (c: Context<Env>, filter: LetterFilter, limit: number) => {
      const dealt = await letters()[what](filter, limit, c.get("principal").user);
      if (filter.id !== undefined && dealt.matched === 0)
        throw new Refused(noLetter(dealt.unasked));
      return c.json(dealt);
    };
    // Those that match a filter; `{"all": true}` for all.
    app.post(`/v1/admin/dead/${what}`, async (c) => {
      const chosen = read(LETTERS_CHOSEN, await jsonOf(c.req.raw, MAX_BODY_BYTES));
      const { all = false, limit = MAX_LIMIT, ...filter } = chosen;
      if (Object.keys(filter).length === 0 && !all) throw new Refused(NONE_CHOSEN);
      c.set("target", JSON.stringify(filter).slice(0, 1_000));
      return deal(c, filter, limit);
    });
    app.post(`/v1/admin/dead/:id/${what}`, async (c) => {
      c.set("target", c.req.param("id"));
      return deal(c, { id: c.req.param("id") }, MAX_LIMIT);
    });
  }
}

const NONE_CHOSEN = problem(
  "missing_field",
  "all",
  "or queue, reason, user or ids, to choose letters",
);

/** What nobody could ask for is not known to be gone. */
function noLetter(unasked: readonly string[] = []): Problem {
  if (unasked.length === 0) return problem("not_found", "id");
  return problem("unavailable", "id", `${and(unasked)} did not answer; no other region has it`);
}

/** A letter as people see it: its user by the token's own text. */
function shown(letter: object): object {
  const { user } = letter as { user?: unknown };
  return typeof user === "string" ? { ...letter, user: subjectOf(user) } : letter;
}
