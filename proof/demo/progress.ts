// The demo's progress: one updating line on a terminal, an occasional line elsewhere.
import { realRuntime, type Timer } from "../../core/runtime/runtime.ts";

const BAR_WIDTH = 30;
const TERMINAL_EVERY_MS = 100;
const PLAIN_EVERY_MS = 2_000;

export class Progress {
  private timer: Timer | undefined;
  private shown = false;
  private last = "";

  constructor(
    private readonly out: NodeJS.WriteStream,
    private readonly terminal = out.isTTY ?? false,
  ) {}

  /** Prints a line that stays. */
  say(text: string): void {
    this.erase();
    this.out.write(`${text}\n`);
  }

  /** Shows `line()` repeatedly until done(). */
  follow(line: () => string): void {
    const show = () => {
      const text = line();
      if (!this.terminal && text === this.last) return;
      this.erase();
      this.out.write(this.terminal ? text : `${text}\n`);
      this.shown = this.terminal;
      this.last = text;
    };
    this.done();
    this.timer = realRuntime.startInterval(
      show,
      this.terminal ? TERMINAL_EVERY_MS : PLAIN_EVERY_MS,
    );
  }

  done(): void {
    realRuntime.stopTimer(this.timer);
    this.erase();
  }

  private erase(): void {
    if (this.shown) this.out.write("\r\u001b[2K");
    this.shown = false;
  }
}

export function bar(part: number, whole: number): string {
  const share = whole === 0 ? 1 : Math.min(1, part / whole);
  const full = Math.round(share * BAR_WIDTH);
  const bar = `${"█".repeat(full)}${"░".repeat(BAR_WIDTH - full)}`;
  return `${bar} ${String(Math.floor(share * 100)).padStart(3)} %`;
}
