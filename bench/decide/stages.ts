// How far a call of `decide` goes: each stage is the library with `decide` cut short after it. The
// cuts are found by the text of core/lua; a text that is no longer there stops the bench.

const START = "local function decide(keys, args)\n";
const LOAD = "  local messages, batch = load_messages(shard, args, now)\n";
const DECIDE = "  local entry = {}\n  for m, orders";
const COMMIT = "  return commit(batch, args, 'decide', entry, reply)\n";
const APPEND = "  reply[2] = append_entry(";
const NOTHING = "{ 'decided', '', '', '0', '[]', '[]', '' }";

/** The stages in their order. Each costs what it adds to the one before. */
export const STAGES: Readonly<Record<string, (source: string) => string>> = {
  "an empty function": (source) => after(source, START, `return ${NOTHING}`),
  "shard and clock": (source) => before(source, LOAD, "reply[7] = ''; return reply"),
  "decode and check": (source) =>
    before(source, LOAD, "decode_orders(args[9], 0); reply[7] = ''; return reply"),
  "read records and stock": (source) => before(source, DECIDE, "reply[7] = ''; return reply"),
  decide: (source) => before(source, COMMIT, "return reply"),
  "write records and stock": (source) => before(source, APPEND, "return reply"),
  "append the entry": (source) => source,
};

function after(source: string, text: string, cut: string): string {
  return source.replace(known(source, text), `${text}  do ${cut} end\n`);
}

function before(source: string, text: string, cut: string): string {
  return source.replace(known(source, text), `  do ${cut} end\n${text}`);
}

function known(source: string, text: string): string {
  if (source.split(text).length !== 2)
    throw new Error(`core/lua no longer has this once: ${text.trim()}`);
  return text;
}
