// One line of JSON per event an operator cares about, on standard error: standard output belongs to commands.
export type Log = (event: string, detail?: Record<string, unknown>) => void;

export function makeLog(role: string, write: (line: string) => void = (line) => void process.stderr.write(line)): Log {
  return (event, detail = {}) => write(`${JSON.stringify({ at: new Date().toISOString(), role, event, ...detail })}\n`);
}
