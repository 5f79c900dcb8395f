// Compiles shim.c with the machine's C compiler, and steers the processes that were started with
// it. A process is started with the shim while nothing is wrong; the fault begins while it runs.
import { closeSync, existsSync, mkdirSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";

const SOURCE = join(import.meta.dir, "shim.c");
const CONTROL_BYTES = 64;
const DISK = { fine: 0, full: 1, slow: 2 } as const;
/** Places of the words in the control file. */
const WORD = { disk: 0, delay: 4, offset: 8, failed: 12, slowed: 16, told: 20 } as const;

export const hasCompiler = (): boolean => Bun.which("cc") !== null;

export class Shim {
  private constructor(
    private readonly library: string,
    private readonly file: string,
    private readonly path: string,
  ) {}

  /** `path`: the beginning of the paths that the disk's faults concern. */
  static make(dir: string, name: string, path = dir): Shim {
    mkdirSync(dir, { recursive: true });
    const library = join(dir, "shim.so");
    if (!existsSync(library)) {
      const flags = ["-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"];
      const made = Bun.spawnSync(["cc", ...flags], { stderr: "pipe" });
      if (made.exitCode !== 0) throw new Error(`cc: ${made.stderr.toString()}`);
    }
    const file = join(dir, `${name}.control`);
    const shim = new Shim(library, file, path);
    shim.words(new Uint8Array(CONTROL_BYTES), 0);
    return shim;
  }

  /** Variables of a process that is to be started with it. */
  get env(): Readonly<Record<string, string>> {
    return {
      LD_PRELOAD: this.library,
      CHAOS_SHIM_CONTROL: this.file,
      CHAOS_SHIM_PATH: this.path,
    };
  }

  disk(state: "fine" | "full" | "slow", delayMs = 0): void {
    this.set("delay", delayMs);
    this.set("disk", DISK[state]);
  }

  /** How far the wall clock is wrong. */
  clock(offsetS: number): void {
    this.set("offset", offsetS);
  }

  /** So far: failed writes, slowed syncs, and readings of a wrong clock. */
  get counts(): { readonly failed: number; readonly slowed: number; readonly told: number } {
    const { failed, slowed, told } = WORD;
    const at = new DataView(this.read().buffer);
    const count = (place: number) => at.getUint32(place, true);
    return { failed: count(failed), slowed: count(slowed), told: count(told) };
  }

  private set(word: keyof typeof WORD, value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setInt32(0, value, true);
    this.words(bytes, WORD[word]);
  }

  /** In place: processes have the file mapped. */
  private words(bytes: Uint8Array, at: number): void {
    const fd = openSync(this.file, existsSync(this.file) ? "r+" : "w+");
    writeSync(fd, bytes, 0, bytes.length, at);
    closeSync(fd);
  }

  private read(): Uint8Array {
    const bytes = new Uint8Array(CONTROL_BYTES);
    const fd = openSync(this.file, "r");
    readSync(fd, bytes, 0, CONTROL_BYTES, 0);
    closeSync(fd);
    return bytes;
  }
}
