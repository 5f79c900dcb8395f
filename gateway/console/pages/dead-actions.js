// Redrives or drops chosen letters, after saying which.
import { call } from "../session.js";
import { ask } from "../ui/dialog.js";
import { list, plural } from "../ui/format.js";

const WORDS = {
  redrive: { title: "Redrive", done: "redriven", lines: "goes back to where it came from" },
  drop: { title: "Drop permanently", done: "dropped", lines: "is removed permanently" },
};
/** More names would not be read. */
const NAMED = 5;

export function actOn(what, letters, again) {
  const { title, done, lines } = WORDS[what];
  const ids = letters.map(({ id }) => id);
  const named = letters
    .slice(0, NAMED)
    .map(({ id, user, order }) => `${id} ${order ? `(order ${order} of ${user}) ` : ""}${lines}`);
  const more = letters.length - named.length;
  ask({
    title: `${title}: ${plural(letters.length, "letter")}`,
    verb: title,
    danger: what === "drop",
    lines: more > 0 ? [...named, `and ${more} more: each ${lines}`] : named,
    async act() {
      const answer = await call("POST", `/v1/admin/dead/${what}`, { ids });
      if (!answer.ok) throw new Error(answer.problem);
      again();
      const { matched, done: n, left, unasked = [] } = answer.value;
      const missing = ids.length - matched;
      const silent = `not found: ${list(unasked)} did not answer`;
      const gone = unasked.length > 0 ? silent : "were gone already";
      const rest = [
        ...(missing > 0 ? [`${missing} ${gone}`] : []),
        ...(left.length > 0 ? [`${left.length} stay: ${left[0].why}`] : []),
      ];
      return [`${n} ${done}`, ...rest].join("; ");
    },
  });
}
