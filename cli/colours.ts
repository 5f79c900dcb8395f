/** Whether to colour what a stream shows: only on terminals, and not where NO_COLOR is set. */
export function coloured(stream: { readonly isTTY?: boolean }): boolean {
  const { NO_COLOR, TERM } = process.env;
  return stream.isTTY === true && !NO_COLOR && TERM !== "dumb";
}
