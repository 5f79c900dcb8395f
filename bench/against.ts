// A result beside an earlier one, or beside the same on another ledger: figures and their ratios.
export type Figures = Readonly<Record<string, number>>;

/** Lines of a table with all figures that both have. */
export function comparison(
  title: string,
  [beforeName, nowName]: readonly [string, string],
  before: Figures,
  now: Figures,
): string[] {
  const shared = Object.keys(now).filter((what) => before[what] !== undefined);
  if (shared.length === 0) return [];
  const rows = shared.map((what) => {
    const [old, own] = [before[what] ?? 0, now[what] ?? 0];
    return `| ${what} | ${figure(old)} | ${figure(own)} | ${ratio(old, own)} |`;
  });
  return [
    ...["", `## ${title}`, ""],
    `| what | ${beforeName} | ${nowName} | ratio |`,
    "|---|---|---|---|",
    ...rows,
  ];
}

function ratio(before: number, now: number): string {
  return before === 0 ? "" : `${(now / before).toFixed(2)}×`;
}

function figure(value: number): string {
  return value >= 1_000 ? Math.round(value).toLocaleString("en") : value.toFixed(1);
}
