// Changes of orders' states, each from a state that allows it: one statement for all that change
// alike. An order that changes several times in a transaction does so in the given order.
import type { OrderState } from "../core/domain/outcome.ts";
import type { Dialect, Runner } from "./db.ts";
import { jsonRows, rowsFrom, textIn, wholeIn } from "./json-rows.ts";
import { Contradiction } from "./refusals.ts";

export interface Move {
  readonly state: OrderState;
  readonly from: readonly OrderState[];
  readonly bucket: number;
  readonly id: string;
  readonly user: string;
}

/** Throws Contradiction if an order is in no state that allows its change. */
export async function moveOrders(
  dialect: Dialect,
  tx: Runner,
  moves: readonly Move[],
): Promise<void> {
  for (const alike of grouped(moves)) {
    const { state, from } = alike[0] as Move;
    const text = `UPDATE orders SET state = ? FROM ${rowsFrom(dialect)}
      WHERE orders.bucket = ${wholeIn(0)} AND orders.id = ${textIn(1)} AND orders.usr = ${textIn(2)}
      AND orders.state IN (${from.map(() => "?").join(",")}) RETURNING orders.id`;
    let moved = 0;
    for (const list of jsonRows(alike.map(({ bucket, id, user }) => [bucket, id, user])))
      moved += (await tx.run(text, [state, list, ...from])).length;
    if (moved !== alike.length) throw new Contradiction(whatCannot(alike));
  }
}

/** Moves that change alike, in such an order that those of one order stay in theirs. */
function grouped(moves: readonly Move[]): Move[][] {
  const rounds = new Map<string, number>();
  const groups = new Map<string, { readonly round: number; readonly moves: Move[] }>();
  for (const move of moves) {
    const name = `${move.user} ${move.id}`;
    const round = rounds.get(name) ?? 0;
    rounds.set(name, round + 1);
    const key = `${round} ${move.state} ${move.from.join(",")}`;
    const group = groups.get(key);
    if (group) group.moves.push(move);
    else groups.set(key, { round, moves: [move] });
  }
  return [...groups.values()].sort((a, b) => a.round - b.round).map((group) => group.moves);
}

function whatCannot([first, ...rest]: readonly Move[]): string {
  const which = rest.length === 0 ? `order ${first?.user}/${first?.id}` : "one of several orders";
  return `${which} cannot become ${first?.state}`;
}
