// /v1/admin/dead: list, show, redrive and drop dead letters of every region. Each call is audited
// with its subject.
import type { Context } from "hono";
import { subjectOf } from "../../core/domain/user-name.ts";
import { type App, type AppParts, type Env, jsonOf } from "../http/calls.ts";
import { Problem, problem, Refused } from "../http/problem.ts";
import type { LetterFilter } from "../ports.ts";
import { Fields } from "./fields.ts";

const MAX_BODY_BYTES = 16_384;
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 10_000;
const FILTERS = ["queue", "reason", "user"] as const;
/** Letters chosen one by one; each call walks the queues once. */
const MAX_CHOSEN = 500;
const LETTER_ID = /^[0-9a-f]{8}$/;

export function addAdminDead(app: App, { options }: AppParts): void {
  const letters = () => {
    const found = options.operator?.letters;
    if (!found)
      throw new Refused(
        problem("not_found", undefined, "this gateway has no access to the dead letters"),
      );
    return found;
  };

  app.get("/v1/admin/dead", async (c) =>
    c.json({
      letters: (await letters().list(filterOf(c.req.query()), limitOf(c))).map(shown),
    }),
  );

  app.get("/v1/admin/dead/:id", async (c) => {
    const [found] = await letters().list({ id: c.req.param("id") }, MAX_LIMIT);
    if (!found) throw new Refused(problem("not_found", "id"));
    return c.json(shown(found) as Record<string, unknown>);
  });

  for (const what of ["redrive", "drop"] as const) {
    const deal = async (c: Context<Env>, filter: LetterFilter, limit: number) => {
      const dealt = await letters()[what](filter, limit, c.get("principal").user);
      if (filter.id !== undefined && dealt.matched === 0)
        throw new Refused(problem("not_found", "id"));
      return c.json(dealt);
    };
    // Those that match a filter; `{"all": true}` for all.
    app.post(`/v1/admin/dead/${what}`, async (c) => {
      const fields = Fields.of(await jsonOf(c.req.raw, MAX_BODY_BYTES), [
        ...FILTERS,
        "ids",
        "all",
        "limit",
      ]);
      const filter: LetterFilter = {
        ...filterBy((name) => (fields.has(name) ? fields.text(name) : undefined)),
        ...(fields.has("ids") ? { ids: chosenIn(fields) } : {}),
      };
      if (Object.keys(filter).length === 0 && !fields.isTrue("all"))
        fields.refuse("missing_field", "all", "or queue, reason, user or ids, to choose letters");
      c.set("target", JSON.stringify(filter).slice(0, 1_000));
      return deal(c, filter, fields.has("limit") ? fields.whole("limit", 1, MAX_LIMIT) : MAX_LIMIT);
    });
    app.post(`/v1/admin/dead/:id/${what}`, async (c) => {
      c.set("target", c.req.param("id"));
      return deal(c, { id: c.req.param("id") }, MAX_LIMIT);
    });
  }
}

function chosenIn(fields: Fields): string[] {
  return fields.list("ids", 1, MAX_CHOSEN).map((id, i) => {
    if (typeof id === "string" && LETTER_ID.test(id)) return id;
    return fields.refuse("out_of_range", `ids[${i}]`, "a letter's id: eight hex digits");
  });
}

function filterOf({ limit: _, ...query }: Record<string, string>): LetterFilter {
  for (const name of Object.keys(query))
    if (!(FILTERS as readonly string[]).includes(name))
      throw new Refused(new Problem("unknown_field", name.slice(0, 64)));
  return filterBy((name) => query[name]);
}

type Filter = (typeof FILTERS)[number];

function filterBy(read: (name: Filter) => string | undefined): Pick<LetterFilter, Filter> {
  const given = FILTERS.map((name) => [name, read(name)] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

function limitOf(c: Context<Env>): number {
  const limit = c.req.query("limit");
  if (limit === undefined) return DEFAULT_LIMIT;
  const number = /^\d{1,5}$/.test(limit) ? Number(limit) : 0;
  if (number < 1 || number > MAX_LIMIT)
    throw new Refused(problem("out_of_range", "limit", `1 to ${MAX_LIMIT}`));
  return number;
}

/** A letter as people see it: its user by the token's own text. */
function shown(letter: object): object {
  const { user } = letter as { user?: unknown };
  return typeof user === "string" ? { ...letter, user: subjectOf(user) } : letter;
}
