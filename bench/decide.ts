// What one order costs Redis in `decide`, by the size of a call, by how many orders find their item
// available, and by stage:
//
//   bun bench/decide.ts [--json] [--file]
//
// --file: Redis writes its append-only file. ORDERS: orders for each figure, 40,000 if left out.
// With one order in a call the figures are the fixed cost of a call.
import { type DecideFigures, measureDecide, type Row } from "./decide/measure.ts";

const persistence = process.argv.includes("--file");
const figures = await measureDecide({ orders: Number(process.env.ORDERS ?? 40_000), persistence });
console.log(process.argv.includes("--json") ? JSON.stringify(figures) : tableOf(figures));

function tableOf({ perCall, workloads, recorded, stages }: DecideFigures): string {
  const lines = (rows: Readonly<Record<string, Row>>) =>
    Object.entries(rows).map(([name, row]) => line(name, row, 1));
  return [
    "µs of Redis's main thread per order, by orders in a call",
    line("", perCall, 0),
    ...lines(workloads),
    ...lines({ "… and recorded": recorded }),
    "",
    "one in ten reserved, by stage",
    ...lines(stages),
  ].join("\n");
}

function line(name: string, cells: Row, digits: number): string {
  return name.padEnd(24) + cells.map((cell) => cell.toFixed(digits).padStart(8)).join("");
}
